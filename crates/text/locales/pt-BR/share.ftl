# Compartilhamentos, tokens e auditoria: páginas, verbos e o que eles dizem.

# A página de um link
share-page-get = Baixar
share-page-until = Disponível até { $time }
share-page-empty = A pasta está vazia.
share-page-more = Mais
share-page-up = Acima
share-page-locked = Este link pede uma senha
share-page-wrong = Esta não é a senha deste link
share-page-again = Abra o link de novo e digite a senha; o nome pode ficar vazio.
share-page-gone = Este link não leva a lugar nenhum
share-page-gone-what = Ele acabou, ou o que havia ali não existe mais. Peça um novo a quem o enviou.
share-page-refused = Este link não permite isto
share-page-refused-what = Talvez já tenha sido usado tantas vezes quanto podia. Fale com quem o enviou.
share-page-drop = Enviar arquivos
share-page-drop-what = O que você enviar chega a quem criou este link. Nada do que já está na pasta aparece aqui, e nada é substituído.
share-page-choose = Arquivos:
share-page-send = Enviar
share-page-received = { $count ->
    [one] 1 arquivo recebido ({ $size }):
   *[other] { $count } arquivos recebidos ({ $size }):
}

# Verbos
verb-share = Cria um link para alguém sem conta baixar ou enviar arquivos
verb-token = Cria, lista e revoga tokens, com que programas entram sem senha
verb-audit = Mostra quem fez o quê no servidor
shell-usage-share = [NOME]
shell-usage-token = add|list|remove
arg-token-file = Arquivo cuja primeira linha é um token (ou defina GAVETA_TOKEN)
arg-share-path = O que compartilhar (nesta máquina, ./pasta/nome, quando nenhum servidor está rodando)
arg-share-expires = Por quanto tempo o link vale: 7d, 12h, 90m
arg-share-password = Pede uma senha a quem abrir o link
arg-share-limit = No máximo tantos downloads, ou arquivos enviados
arg-share-drop = Quem tem o link envia arquivos para a pasta, sem ver o que há nela
arg-share-list = Lista os links que valem
arg-share-end = Encerra o link com este id (repita para mais)
arg-token-doing = add (criar), list (listar) ou remove (revogar)
arg-token-words = O servidor (ou, quando nenhum está rodando, a pasta: ./pasta) e o nome do token
arg-token-scope = Só isto da conta (repita para mais): /docs=viewer, /entrada=create
arg-token-expires = Por quanto tempo o token vale: 30d, 12h
arg-token-account = De qual conta; a própria, se faltar
arg-audit-server = O servidor ou, nesta máquina, a pasta (./pasta) ou o próprio registro
arg-audit-since = Desde quando: 2h, 7d ou 2026-11-23T10:00:00Z
arg-audit-account = Só desta conta
arg-audit-path = Só deste caminho e do que há abaixo dele
arg-audit-operation = Só desta operação: read, commit, remove, rename, sign-in…
arg-audit-failed = Só o que não deu certo
arg-audit-follow = Continua com o que acontecer, até Ctrl-C
help-serve-audit = Arquivo do registro de auditoria, ou off para nenhum (na pasta de estado, se faltar)
help-serve-audit-keep = Quanto do registro de auditoria se guarda

# O que dizem
share-none = Nenhum link vale agora.
share-ended = Link encerrado: { $id }
share-once = Quem tem o link entra. Ele não será mostrado de novo; para encerrá-lo: compartilhar --revogar ID
share-ask-password = Senha do link:
share-ask-its-password = Senha deste link para { $server }:
share-wants-password = Este link pede uma senha: use --password-file ARQUIVO ou digite a senha num terminal.
share-way-get = baixar
share-way-drop = enviar
share-has-password = com senha
token-once = Guarde o token agora: ele não será mostrado de novo.
token-none = Não há tokens.
token-removed = Token revogado: { $name }
token-which = Não há um só token "{ $name }"; use o id da lista.
token-words = Diga: token add SERVIDOR NOME, token list SERVIDOR ou token remove SERVIDOR NOME; sem servidor, a pasta (./pasta) no lugar dele
serve-audit-beneath = O registro de auditoria { $path } está dentro da pasta servida { $folder }: escolha outro lugar com --audit
value-actions = AÇÕES
value-word = PALAVRA
offline-no-folder = --state-dir e --config são para uma pasta desta máquina: diga a pasta que é servida (./pasta)
offline-no-log = Não há registro de auditoria em { $path }
offline-never-served = { $path } não está em nenhuma pasta que já foi servida por esta máquina
offline-state = Não consegui ler o estado do servidor: { $reason }
offline-server-runs = Um servidor está usando { $folder }: peça a ele ({ $servers })
share-no-server = Nenhum servidor está rodando: ponha o endereço dele antes do link, como https://servidor

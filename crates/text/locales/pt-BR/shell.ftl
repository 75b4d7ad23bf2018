# O shell: o que se digita, o que ele diz por si, e os verbos que só existem nele.

shell-welcome = Bem-vindo ao servidor de arquivos. Digite ajuda para acessar os comandos.
shell-goodbye = Você foi desconectado do servidor.
shell-unknown = Comando "{ $word }" indisponível. Digite ajuda para ver todos.
shell-unknown-near = Comando "{ $word }" indisponível. Você quis dizer { $near }? Digite ajuda para ver todos.
shell-empty-server = O servidor está vazio.
shell-empty-folder = A pasta está vazia.
shell-deleted-file = Arquivo deletado!
shell-deleted-folder = Pasta deletada!
shell-search = busca:
shell-interrupted = Para sair: sair ou Ctrl-D
shell-ask-leave = Sair do servidor? [s]im, [n]ão:
shell-plain = O terminal não responde: agora sem editor de linha.

# Ajuda
shell-help-more = Ajuda de um comando: ajuda COMANDO. Palavras em inglês também valem.
shell-help-words = Palavras: { $words }
shell-usage-none = { "" }
shell-usage-list = [PASTA ou PADRÃO]…
shell-usage-send = ARQUIVO… [PASTA/]
shell-usage-get = NOME… [PASTA/]
shell-usage-delete = NOME [SENHA]
shell-usage-rm = NOME…
shell-usage-move = NOME… DESTINO
shell-usage-mkdir = PASTA…
shell-usage-info = NOME…
shell-usage-cat = ARQUIVO…
shell-usage-cd = [PASTA]
shell-usage-lcd = [PASTA]
shell-usage-lls = [PASTA]
shell-usage-events = [on|off]
shell-usage-help = [COMANDO]

verb-cat = Mostra o conteúdo de arquivos
verb-df = Mostra o espaço total e livre do servidor
verb-cd = Entra numa pasta do servidor
verb-pwd = Mostra em que pasta do servidor se está
verb-lcd = Entra numa pasta desta máquina, ou mostra em qual se está
verb-lpwd = Mostra em que pasta desta máquina se está
verb-lls = Lista o que há numa pasta desta máquina
verb-events = Mostra ou não o que outros fazem no servidor
verb-help = Mostra os comandos, ou tudo sobre um deles
verb-exit = Sai do servidor

arg-cat-names = Arquivos ou padrões
arg-df-server = O servidor
arg-cd-folder = A pasta: a raiz, se faltar; a anterior, se for -
arg-lcd-folder = A pasta desta máquina
arg-lls-folder = A pasta desta máquina: a atual, se faltar
arg-events-switch = on ou liga, off ou desliga
arg-help-verb = O comando

# Erros do que se digita
shell-only = isto só existe no shell: gaveta conectar
shell-no-input = no shell a entrada padrão traz comandos; para enviá-la: gaveta send - HOST/NOME
shell-no-output = no shell nada vai para a saída padrão; para ler um arquivo: ver NOME
shell-not-utf8 = a linha não é UTF-8
shell-too-long = a linha é longa demais: o máximo é { $most } bytes
shell-not-closed = falta fechar as aspas
shell-unknown-option = não há a opção { $argument }. Uso: { $usage }
shell-no-command = não há o comando { $argument }. Ajuda: { $usage }
shell-too-many = "{ $argument }" está sobrando. Uso: { $usage }
shell-missing = falta dizer { $argument }. Uso: { $usage }
shell-bad-value = "{ $value }" não serve para { $argument }. Uso: { $usage }
shell-twice = { $argument } não combina com o resto. Uso: { $usage }
shell-no-sense = isto não faz sentido. Uso: { $usage }

# Eventos e a conexão
shell-events-on = O que outros fazem será mostrado.
shell-events-off = O que outros fazem não será mostrado.
shell-who-visitor = alguém
shell-who-admin = o administrador
shell-event-sent = { $who } enviou { $name }
shell-event-folder = { $who } criou { $name }
shell-event-changed = { $who } mudou { $name }
shell-event-deleted = { $who } deletou { $name }
shell-event-moved = { $who } moveu { $name } → { $to }
shell-event-more = { $count ->
    [one] e mais { $count } mudança
   *[other] e mais { $count } mudanças
}
shell-closing = O servidor está sendo desligado.
shell-lost = A conexão caiu; tentando de novo…
shell-back = A conexão voltou.

# gaveta connect, e gaveta sem mais nada
help-connect = Conecta a um servidor e abre o shell
arg-connect-server = O servidor, e a pasta onde começar; localhost, se faltar
arg-connect-command = Executa estes comandos, separados por ; e sai
arg-connect-file = Executa os comandos deste arquivo e sai
arg-connect-keep-going = Não para no primeiro comando que falha
arg-connect-no-events = Não mostra o que outros fazem
help-plain-output = Só linhas: sem cores, barras ou editor, para leitores de tela
ask-what = [s]ervir uma pasta ou [c]onectar a um servidor? [c]:
ask-port = Porta [{ $port }]:
ask-host = Servidor [{ $host }]:
ask-again = Isto não serve: { $word }

client-no-address = é preciso dizer onde: HOST[:PORTA]/CAMINHO
client-not-gaveta = { $server }: o que responde ali não é um servidor Gaveta{ $why }
client-other-protocol = { $server }: o servidor fala a versão { $theirs } do protocolo, e este cliente a { $ours }; atualize o mais antigo

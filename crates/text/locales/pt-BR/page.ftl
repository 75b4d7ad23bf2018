# A página: a gaveta em um navegador.
page-description = Uma gaveta de arquivos: olhe, guarde, pegue.
page-skip = Ir direto aos arquivos
page-root = Gaveta
page-way = Onde você está
page-caption = O que há em { $name }
page-name = Nome
page-size = Tamanho
page-date = Alterado
page-select = Selecionar { $name }
page-never-opened = (nunca é aberto aqui)
page-empty = Esta gaveta está vazia.
page-empty-send = Solte arquivos aqui ou toque em Enviar.
page-count = { $n ->
    [one] { $count } item
   *[other] { $count } itens
}
page-unnameable = { $n ->
    [one] Há aqui mais uma coisa, com um nome que não pode ser usado:
   *[other] Há aqui mais coisas, com nomes que não podem ser usados:
}
page-more = Mostrar mais
page-list-cut = A lista para aqui, antes do fim:
page-account = Conta
page-sign-in = Entrar
page-sign-out = Sair
page-account-name = Nome
page-password = Senha
page-cancel = Cancelar
page-admin = Servidor
page-admin-now = Agora
page-admin-connections = Conexões
page-admin-sessions = Páginas e terminais abertos
page-admin-requests = Pedidos
page-admin-received = Recebido
page-admin-sent = Enviado
page-admin-room = Espaço
page-admin-free = { $free } livres de { $total }
page-admin-connected = Quem está conectado
page-admin-nobody = Mais ninguém.
page-admin-more = { $n ->
    [one] e mais { $count }
   *[other] e mais { $count }
}
page-admin-visitor = não entrou
page-admin-by-token = token { $id }
page-admin-by-link = link { $id }
page-admin-session = uma página ou um terminal aberto
page-admin-since = desde
page-admin-in = recebido: { $size }
page-admin-out = enviado: { $size }
page-admin-uploads = Envios em andamento
page-admin-none = Nenhum.
page-admin-end = Encerrar
page-admin-events = O que acontece
page-search = Buscar por nome
page-search-label = Buscar abaixo desta pasta
page-search-go = Buscar
page-search-title = Busca: { $sought }
page-found = { $n ->
    [one] { $count } encontrado.
   *[other] { $count } encontrados.
}
page-found-part = Pode haver mais: só aparecem os primeiros. Busque em uma pasta menor ou por um nome mais longo.
page-send = Enviar
page-send-go = Enviar
page-files = Arquivos
page-taken = Se o nome já existir
page-taken-keep = Manter os dois
page-taken-replace = Substituir
page-taken-skip = Pular
page-new-folder = Nova pasta
page-make = Criar
page-get-all = Baixar tudo (ZIP)
page-chosen = Com o que está selecionado
page-get = Baixar
page-rename = Renomear
page-move = Mover
page-copy = Copiar
page-delete = Apagar
page-delete-sure = { $n ->
    [one] Apagar isto, com tudo o que houver dentro?
   *[other] Apagar estes { $count }, com tudo o que houver dentro?
}
page-new-name = Novo nome
page-to-folder = Para qual pasta
page-back = Voltar à pasta
page-not-all = Nem tudo foi feito
page-error-home = Ir ao início
page-foot = Gaveta: um lugar para os seus arquivos

# O que alguém na página pode fazer a respeito de um erro.
advice-not-found = Talvez tenha sido movido ou apagado. Vá ao início e procure.
advice-exists = Escolha outro nome ou substitua o que está lá.
advice-version-mismatch = Alguém mudou isto agora há pouco. Veja como está e tente de novo.
advice-sign-in-needed = Entre com uma conta que possa fazer isto.
advice-wrong-password = Confira o nome e a senha e tente de novo.
advice-denied = Sua conta não pode fazer isto aqui. Fale com quem cuida do servidor.
advice-no-space = Libere espaço lá e tente de novo; o que havia antes continua lá.
advice-too-large = O servidor não aceita tanto de uma vez. Escolha algo menor.
advice-not-empty = Apague antes o que há na pasta.
advice-not-a-folder = Algo no caminho é um arquivo. Vá ao início e veja.
advice-bad-move = Uma pasta não pode ir para dentro dela mesma. Escolha outro lugar.
advice-busy = Espere um momento e tente de novo.
advice-closing = Espere o servidor voltar e tente de novo.
advice-timed-out = Confira a conexão e tente de novo.
advice-io = Tente de novo. Se continuar assim, avise quem cuida do servidor: o registro dele diz mais.
advice-permission = O sistema do servidor não permite. Avise quem cuida dele.
advice-bad-request = Volte e tente de novo.
advice-read-only = Este servidor não aceita mudanças.
advice-path = Escolha outro nome.

# What the scripts of the page say. A number chooses between one and several.
js-and-more = { $n ->
    [one] e mais { $count }
   *[other] e mais { $count }
}
js-and-more-failed = { $n ->
    [one] Mais { $count } falhou.
   *[other] Mais { $count } falharam.
}
js-camera = Tirar uma foto
js-cancel = Cancelar
js-cancel-all = Cancelar tudo
js-cannot-read = Não é possível ler { $name }.
js-cannot-show = Isto não pode ser mostrado aqui. Baixe para ver.
js-chosen = { $n ->
    [one] { $count } selecionado
   *[other] { $count } selecionados
}
js-close = Fechar
js-copied = { $n ->
    [one] Copiado.
   *[other] { $count } copiados.
}
js-copy = { $n ->
    [one] Copiar
   *[other] Copiar { $count } itens
}
js-copy-here = Copiar para cá
js-delete = Apagar
js-delete-sure = { $n ->
    [one] Apagar isto, com tudo o que houver dentro?
   *[other] Apagar estes { $count }, com tudo o que houver dentro?
}
js-deleted = { $n ->
    [one] Apagado.
   *[other] { $count } apagados.
}
js-dismiss = Dispensar
js-drop = Solte aqui para enviar
js-filter = Filtrar esta lista
js-filter-left = { $n ->
    [one] { $count } item na lista
   *[other] { $count } itens na lista
}
js-fold = Recolher ou abrir
js-folder = Pasta
js-graph = A velocidade nos últimos dois minutos
js-in = entrando: { $rate }
js-out = saindo: { $rate }
js-get = Baixar
js-go-on = Continuar
js-key-all = selecionar tudo
js-key-choose = selecionar
js-key-delete = apagar
js-key-escape = não selecionar nada, fechar
js-key-filter = filtrar
js-key-move = para cima e para baixo
js-key-open = abrir
js-key-range = selecionar vários
js-key-rename = renomear
js-key-up = a pasta acima
js-keys = O teclado
js-left = faltam { $time }
js-made = Pasta { $name } criada.
js-make = Criar
js-move = { $n ->
    [one] Mover
   *[other] Mover { $count } itens
}
js-move-here = Mover para cá
js-moved = { $n ->
    [one] Movido.
   *[other] { $count } movidos.
}
js-name = Nome
js-new-folder = Nova pasta
js-new-name = Novo nome
js-next = Próximo
js-no-folders = Não há pastas aqui dentro.
js-not-readable = o arquivo não pode mais ser lido aqui; escolha-o de novo
js-of = { $at } de { $all }
js-only-start = Só o começo é mostrado. Baixe o arquivo para ver tudo.
js-or-drop = Ou solte arquivos e pastas em qualquer lugar desta página.
js-password = Senha
js-pause = Pausar
js-pause-all = Pausar tudo
js-pick-files = Arquivos…
js-pick-folder = Uma pasta…
js-previous = Anterior
js-progress = Quanto já foi enviado
js-reconnecting = O servidor não responde. Reconectando…
js-retry = Tentar de novo
js-root = Gaveta
js-restored = { $n ->
    [one] De volta ao lugar.
   *[other] { $count } de volta ao lugar.
}
js-rows = { $n ->
    [one] { $count } item na lista
   *[other] { $count } itens na lista
}
js-select-all = Selecionar tudo
js-sending = O que está sendo enviado
js-sending-of = Enviando: { $done } de { $all }
js-sent = { $n ->
    [one] Enviado
   *[other] { $count } enviados
}
js-sent-as = enviado como { $name }
js-sent-but = Enviados: { $done }; falharam: { $failed }
js-sign-in = Entrar
js-sign-in-again = A sessão terminou. Nada se perdeu: entre de novo e continue.
js-state-asking = o nome já existe
js-state-forgotten = não terminou: escolha de novo para continuar
js-state-lost = esperando o servidor
js-state-paused = em pausa
js-state-skipped = pulado
js-state-waiting = na fila
js-taken = Este nome já existe
js-taken-keep = Manter os dois
js-taken-many = { $n ->
    [one] Já existe algo com este nome:
   *[other] { $count } nomes já existem:
}
js-taken-replace = Substituir
js-taken-skip = Pular
js-taken-what = O que fazer, aqui e com tudo o que veio junto?
js-too-many = É demais de uma vez. Pegue a pasta inteira ou menos coisas.
js-undo = Desfazer
js-unfinished = { $n ->
    [one] Um arquivo não terminou
   *[other] { $count } arquivos não terminaram
}

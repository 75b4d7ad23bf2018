# O cliente: verbos, a ajuda deles, perguntas, avisos.

# Ajuda
help-about = Abre uma pasta para a rede, e o cliente que fala com ela
help-usage = Uso:
help-commands = Comandos
help-arguments = Argumentos
help-options = Opções
help-help = Mostra esta ajuda
help-version = Mostra a versão
help-lang = Idioma das mensagens: pt-BR ou en
help-json = Um objeto JSON por linha para tudo: para scripts
help-quiet = Só resultados e erros
help-color = Cores: auto, always (sempre) ou never (nunca)
help-serve = Abre uma pasta para a rede
help-more = Ajuda de um comando: gaveta COMANDO --help

verb-list = Lista o que há numa pasta
verb-send = Envia arquivos e pastas para um servidor
verb-get = Baixa arquivos e pastas de um servidor
verb-delete = Deleta um arquivo ou uma pasta vazia
verb-rm = Deleta vários arquivos e, com -r, pastas inteiras
verb-move = Move ou renomeia no servidor
verb-copy = Copia no servidor
verb-mirror = Torna uma pasta igual a outra: só vai o que difere
verb-uploads = Lista o que está sendo enviado a um servidor e encerra o que ninguém vai terminar
verb-mkdir = Cria pastas
verb-info = Mostra tudo o que se sabe de um item, e o espaço livre da raiz

arg-password-file = Arquivo cuja primeira linha é a senha do administrador (ou defina GAVETA_PASSWORD)
arg-dry-run = Só mostra o que seria feito
arg-replace = Substitui arquivos que já existem
arg-parallel = Quantos arquivos de cada vez (1 a 64)
arg-durability = full: o que chegou sobrevive a uma queda de energia. fast: talvez não, e não se espera por isso
arg-limit-rate = No máximo tantos bytes por segundo: 10M, 500K, 2Mi
arg-mirror-from = De onde se copia: uma pasta daqui ou de um servidor
arg-mirror-to = A pasta que fica igual a ela
arg-mirror-durability = Para espelhar para cá. full: o que chegou sobrevive a uma queda de energia (o padrão). fast: talvez não, e não se espera por isso
arg-mirror-delete = Também deleta o que só o destino tem, no fim e só se tudo deu certo
arg-mirror-checksum = Compara conteúdos: os dois lados leem cada byte de novo, sem confiar em resumos guardados; senão decidem tamanho e data
arg-mirror-exclude = Deixa em paz, dos dois lados, nomes ou caminhos assim (repita para mais): *.tmp, cache/, docs/**/*.bak
arg-mirror-watch = Continua com o que mudar, até Ctrl-C
arg-uploads-host = O servidor
arg-uploads-end = Encerra o envio com este id (repita para mais)
arg-uploads-end-all = Encerra todos
arg-follow-links = Envia aquilo para que os links simbólicos apontam, em vez de pulá-los
arg-long = Mais sobre cada item
arg-list-places = Pastas, arquivos ou padrões num servidor
arg-list-recursive = Também o que há nas pastas de dentro
arg-sort = Ordena por name (nome), size (tamanho) ou modified (data); none: como o servidor os encontra
arg-reverse = Do último para o primeiro
arg-send-words = Arquivos e pastas, ou - para a entrada padrão; por último o destino: uma pasta se termina em / ou é uma, senão o novo nome
arg-send-to = O destino, em vez da última palavra
arg-get-words = Arquivos, pastas ou padrões num servidor; por último a pasta de destino (esta, se faltar), ou - para a saída padrão
arg-get-to = A pasta de destino, em vez da última palavra
arg-delete-name = O que deletar
arg-delete-password = A senha do administrador; outros podem vê-la na lista de processos: prefira --password-file
arg-rm-names = Arquivos, pastas ou padrões a deletar
arg-rm-recursive = Pastas com tudo o que há nelas
arg-yes = Não pergunta
arg-moving-places = Um ou mais itens e, por último, para onde vão no mesmo servidor: para dentro de uma pasta se termina em / ou é uma, senão o novo nome
arg-mkdir-folders = As pastas a criar
arg-mkdir-parents = Cria também as pastas que faltam no caminho; não é erro se a pasta já existe
arg-info-names = Itens ou padrões

# Endereços
address-scheme = { $address }: um endereço começa com HOST, http:// ou gaveta://
address-no-host = "{ $address }" não é um endereço: ele tem a forma HOST[:PORTA]/CAMINHO, como localhost/foto.jpg
address-user = { $address }: nada de usuário ou senha no endereço; use --password-file
address-host = { $address }: isto não é o nome de um servidor; um endereço tem a forma HOST[:PORTA]/CAMINHO
address-port = { $address }: a porta deve ser um número de 1 a 65535
address-brackets = { $address }: um endereço IPv6 fica entre colchetes, como [::1]:4283/nome

# Erros da linha de comando
client-empty-name = um nome vazio não nomeia nada
client-no-target = é preciso dizer o quê e para onde: ao menos duas palavras
client-several-into-one = vários itens não podem virar { $target }: para pô-los numa pasta, termine-a com /
client-target-not-utf8 = o nome do destino não é UTF-8
client-address-not-utf8 = o endereço não é UTF-8
client-no-name = a raiz do sistema de arquivos não tem nome próprio: diga o novo nome
client-stdin-alone = a entrada padrão (-) só pode ser enviada sozinha
client-stdin-name = a entrada padrão não tem nome: diga o nome inteiro do novo arquivo
client-stdout-alone = só um arquivo vai para a saída padrão (-)
client-mirror-sides = uma palavra deve ser uma pasta daqui e a outra uma pasta de um servidor; para distingui-las escreva ./NOME e gaveta://HOST/CAMINHO
client-bad-exclude = "{ $pattern }" não é um padrão de nomes ou caminhos
client-many-excludes = no máximo { $count } padrões
client-uploads-host = aqui só se diz o servidor, sem caminho
client-two-servers = { $one } e { $other } são dois servidores: isto funciona dentro de um só; baixe primeiro, depois envie

# Outras falhas
client-no-answer = { $server }: nenhum servidor Gaveta responde ali ({ $why })
client-no-match = nada corresponde a { $pattern }
client-same-name = { $one } e { $other } ficariam com o mesmo nome
client-link = { $name } é um link simbólico; para enviar aquilo para que aponta: --follow-links
client-link-loop = { $name } é um link simbólico que não leva a nada ou anda em círculo
client-special = { $name } é um FIFO, socket ou dispositivo, que nunca é aberto
client-password-file = o arquivo de senha { $name } não pode ser usado: { $why }
client-rm-folder = { $name } é uma pasta; para deletá-la com tudo o que há nela: -r
client-more-failed = { $count ->
    [one] gaveta: mais { $count } falhou
   *[other] gaveta: mais { $count } falharam
}
client-watch-failed = não dá para observar mudanças em { $name }: { $why }
client-interrupted = parado

# Perguntas
client-ask-password = Senha do administrador de { $server }:
client-ask-replace = { $name } já existe ({ $size }, { $time }). Substituir por { $new-size }, { $new-time }? [s]im, [n]ão, [t]odos, nenhum:
client-ask-end = { $count ->
    [one] Encerrar { $count } envio? O que chegou dele se perde. [s]im, [n]ão:
   *[other] Encerrar { $count } envios? O que chegou deles se perde. [s]im, [n]ão:
}
client-ask-delete = { $more ->
    [0] Deletar { $name }? [s]im, [n]ão:
    [one] Deletar { $name } e mais um? [s]im, [n]ão:
   *[other] Deletar { $name } e mais { $more }? [s]im, [n]ão:
}

# Avisos
client-skipped-link = pulado: { $name } é um link simbólico
client-skipped-special = pulado: { $name } é um FIFO, socket ou dispositivo
client-skipped-unnameable = pulado: { $name } tem um nome que não pode ser usado
client-skipped-exists = pulado: { $name } já existe
client-skipped-same = pulado: { $name } já está lá, igual
client-restarted-source = { $name } mudou desde que foi cortado: recomeça
client-restarted-target = o que há de { $name } no destino já não serve: recomeça
client-restarted-forgotten = o servidor já não tem o que recebeu de { $name }: recomeça
client-retrying = { $name }: { $why }; tentando de novo
client-progress = { "  " }{ $done } de { $size }   { $rate }   faltam { $left }
client-progress-short = { "  " }{ $rate }   faltam { $left }
client-progress-left = { "  " }faltam { $left }
client-progress-least = { "" }
client-progress-files = { $done } de { $count } arquivos
client-sent = { $count ->
    [one] { $count } arquivo, { $size }, enviado e conferido em { $time } ({ $rate })
   *[other] { $count } arquivos, { $size }, enviados e conferidos em { $time } ({ $rate })
}
client-got = { $count ->
    [one] { $count } arquivo, { $size }, baixado e conferido em { $time } ({ $rate })
   *[other] { $count } arquivos, { $size }, baixados e conferidos em { $time } ({ $rate })
}
client-planned-total = { $count ->
    [one] { $count } arquivo, { $size }, seria copiado
   *[other] { $count } arquivos, { $size }, seriam copiados
}
client-mirrored = { $count ->
    [0] nada a copiar
    [one] { $count } arquivo, { $size }, copiado e conferido em { $time } ({ $rate })
   *[other] { $count } arquivos, { $size }, copiados e conferidos em { $time } ({ $rate })
}
client-total-resumed = , { $size } já de antes
client-total-equal = , { $size } como na versão antiga
client-total-again = , { $size } enviados de novo
client-total-moved = , { $size } transferidos
client-total-restarted = { $count ->
    [one] , { $count } recomeçado
   *[other] , { $count } recomeçados
}
client-total-same = { $count ->
    [one] , { $count } já igual
   *[other] , { $count } já iguais
}
client-total-touched = { $count ->
    [one] , { $count } com nova data ou modo
   *[other] , { $count } com nova data ou modo
}
client-total-deleted = { $count ->
    [one] , { $count } deletado
   *[other] , { $count } deletados
}
client-total-skipped = { $count ->
    [one] , { $count } pulado
   *[other] , { $count } pulados
}
client-total-failed = { $count ->
    [one] , { $count } FALHOU
   *[other] , { $count } FALHARAM
}
client-sent-one = { $name }, { $size }, enviado e conferido
client-planned = iria: { $from } → { $to }
client-moved = { $from } → { $to }
client-copied = { $from } → { $to }
client-deleted = deletado: { $name }
client-would-delete = seria deletado: { $name }
client-would-touch = ganharia outra data ou modo: { $name }
client-more-extra = { $count ->
    [one] e mais { $count } seria deletado
   *[other] e mais { $count } seriam deletados
}
client-mirror-kept = { $count ->
    [one] algo falhou, então nada é deletado: { $count } item está só no destino
   *[other] algo falhou, então nada é deletado: { $count } itens estão só no destino
}
client-watching = observando { $name }; Ctrl-C encerra
client-watch-lost = a linha com { $server } caiu; tentando de novo
client-watch-again = a linha com { $server } voltou; comparando tudo de novo
client-upload-ended = encerrado: { $id }
client-uploads-none = nada está a caminho
client-uploads-total = { $count ->
    [one] { $count } envio a caminho, { $size } recebidos
   *[other] { $count } envios a caminho, { $size } recebidos
}
client-made = criada: { $name }
client-would-make = seria criada: { $name }
client-list-total = { $count ->
    [one] { $count } item, { $size }
   *[other] { $count } itens, { $size }
}
client-kind-file = arquivo
client-kind-folder = pasta
client-kind-link = link
client-kind-special = especial
client-yes = sim
client-no = não

# info
info-name = Nome
info-kind = Tipo
info-size = Tamanho
info-modified = Modificado
info-executable = Executável
info-version = Versão
info-digest = BLAKE3
info-total = Espaço total
info-free = Espaço livre

# A lixeira, as versões, desfazer e verificar.

verb-undo = Traz de volta o que foi deletado por último
verb-trash = Lista o que foi deletado ou substituído, do mais novo ao mais velho
verb-restore = Traz algo de volta da lixeira
verb-versions = Lista os conteúdos anteriores de um arquivo; baixa um, ou o traz de volta
verb-purge = Destrói de vez o que está na lixeira (administrador)
verb-verify = Lê tudo de novo e diz o que não está como foi guardado

arg-undo-server = O servidor
arg-trash-path = Só o que estava aqui e abaixo; sem isto: tudo
arg-trash-by = Só o que esta conta pôs lá
arg-trash-since = Só desde então: 2h, 3d, 2026-11-23 ou 2026-11-23T10:12:00Z
arg-trash-until = Só antes disso, nas mesmas formas
arg-restore-name = O que trazer de volta: o que foi deletado ou substituído por último neste caminho
arg-restore-id = O que tem este id, como a lixeira mostra
arg-restore-all = Tudo o que foi deletado aqui e abaixo; com --by ou --since, só isso
arg-restore-to = Traz para cá, em vez de para onde estava
arg-restore-beside = Se há algo no lugar, põe ao lado, com outro nome
arg-restore-replace = Substitui o arquivo que está no lugar (ele vai para a lixeira)
arg-versions-name = O arquivo
arg-versions-get = Baixa o conteúdo com este id para um arquivo desta máquina
arg-versions-to = O nome desse arquivo
arg-versions-restore = Faz do conteúdo com este id o atual de novo
arg-purge-path = Só o que estava aqui e abaixo; sem isto: tudo
arg-purge-yes = Não pergunta
arg-rm-forever = Sem passar pela lixeira: não dá para trazer de volta (administrador)
arg-verify-place = Um servidor, ou uma pasta desta máquina que ninguém esteja servindo agora
arg-verify-afresh = Desde o começo, mesmo se uma verificação anterior ficou no meio
arg-verify-background = Só começa no servidor
arg-verify-stop = Para no servidor; pode continuar depois
arg-verify-status = Só diz até onde foi

shell-usage-trash = [PASTA]
shell-usage-restore = [NOME]
shell-usage-versions = ARQUIVO
shell-deleted-undo = Para trazê-lo de volta: desfazer

client-bad-time = "{ $text }" não é uma data; escreva 2h, 3d, 2026-11-23 ou 2026-11-23T10:12:00Z
client-vague-id = "{ $id }" não diz qual: dê ao menos os 8 dígitos que a lixeira mostra, ou todos os 32
client-no-trash = este servidor não tem lixeira: o que se deleta ou substitui ali se perde
client-no-verify = este servidor não sabe verificar o que guarda
client-not-in-trash = { $name } não está na lixeira
client-other-version = isto não é uma versão de { $name }
client-nothing-to-undo = nada do que você deletou está na lixeira
client-restore-one = --to e --id são para um item só: tire --all, --by, --since e --until
client-restore-what = diga o que trazer de volta: um nome, --id ID, ou --all
client-purge-yes = isto destrói de vez e aqui não há a quem perguntar: acrescente --yes
client-trash-empty = Não há nada disso na lixeira.
client-trash-total = { $count ->
    [one] { $count } item na lixeira, guardado por { $days ->
        [one] { $days } dia
       *[other] { $days } dias
    }. Para trazê-lo de volta: restaurar NOME
   *[other] { $count } itens na lixeira, guardados por { $days ->
        [one] { $days } dia
       *[other] { $days } dias
    }. Para trazer um de volta: restaurar NOME
}
client-cause-deleted = deletado
client-cause-replaced = substituído
client-restored = de volta: { $name }
client-restored-name = restaurado
client-ask-taken = { $name } já existe. Pôr o antigo ao [l]ado, [s]ubstituir, ou [n]ada:
client-ask-beside = { $name } já existe. Pôr o antigo ao [l]ado, ou [n]ão:
client-ask-purge = Destruir isto de vez? [s]im, [n]ão:
client-purged = { $count ->
    [one] { $count } item destruído
   *[other] { $count } itens destruídos
}
client-version-now = atual
client-version-same = igual ao atual
client-version-fetched = baixado e conferido: { $name }
client-versions-total = { $count ->
    [0] Nenhuma versão anterior.
    [one] { $count } versão anterior. Para tê-la de volta: versões NOME --restaurar ID
   *[other] { $count } versões anteriores. Para ter uma de volta: versões NOME --restaurar ID
}

client-found-rotten = estragado: { $name }: o conteúdo não é o que foi guardado
client-found-changed = mudado por outro programa: { $name }
client-found-undigested = nada com que comparar: { $name }
client-found-unreadable = não dá para ler: { $name }
client-found-stray = não é de ninguém: .gaveta/{ $name }
client-found-in-trash = (na lixeira)
client-found-better = { "  " }há uma versão anterior boa na lixeira: restaurar --id { $id } --replace
client-verify-begun = O servidor verifica enquanto trabalha. Até onde foi: verificar --status
client-verify-stopping = O servidor para de verificar. Para continuar: verificar
client-verify-running = Verificando: { $count ->
    [one] { $count } arquivo
   *[other] { $count } arquivos
}, { $size } até agora
client-verify-ended = Verificado: { $count ->
    [one] { $count } arquivo
   *[other] { $count } arquivos
}, { $size }
client-verify-broken-off = Parado depois de { $count ->
    [one] { $count } arquivo
   *[other] { $count } arquivos
}, { $size }
client-verify-sound = { $count } como foram guardados
client-verify-changed = { $count } mudados por outros programas
client-verify-undigested = { $count } sem nada com que comparar
client-verify-rotten = { $count } estragados
client-verify-unreadable = { $count } que não dá para ler
client-verify-strays = { $count } coisas em .gaveta que não são de ninguém

serve-trash = O que for deletado ou substituído fica guardado por { $days ->
    [one] { $days } dia
   *[other] { $days } dias
}, até { $share } % do disco.
serve-trash-short = O que for deletado ou substituído fica guardado por { $time }, até { $share } % do disco.
serve-trash-off = Não há lixeira: o que for deletado ou substituído se perde.
help-serve-trash = Por quanto tempo fica o que for deletado ou substituído, como 30d; off: nada fica
help-serve-trash-share = Quanto do disco a lixeira pode tomar, em por cento; o mais velho sai primeiro
help-serve-trash-yields = Quando o disco enche, o mais velho da lixeira sai antes de se recusar algo
help-serve-verify-every = Lê tudo de novo de tanto em tanto tempo, como 30d

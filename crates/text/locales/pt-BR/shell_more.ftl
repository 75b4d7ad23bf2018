# O que veio ao shell depois do primeiro esboço.

shell-usage-mirror = PASTA [DESTINO]
arg-mirror-get = Do servidor para cá; sem isto, daqui para o servidor
client-mirror-durability = --durability é para espelhar de um servidor para cá: no servidor, quem decide isso é o servidor
client-mirror-get = --baixar é para espelhar de um servidor para cá
shell-mirror-name = falta dizer onde fica o espelho
shell-uploads-here = no shell os envios são os deste servidor: não diga outro

# O que causou um erro
cause-refused = nada escuta ali
cause-cut = o outro lado fechou a conexão
cause-early-end = acabou cedo demais
cause-timed-out = a resposta não veio a tempo
cause-unreachable = não há caminho até essa máquina
cause-no-address = esta máquina não tem esse endereço
cause-unknown-host = ninguém conhece uma máquina com esse nome
cause-not-found = não está lá
cause-permission = o sistema não deixa
cause-no-space = não há mais espaço
cause-read-only = esse sistema de arquivos é só para leitura
cause-too-large = o sistema de arquivos não aceita um arquivo desse tamanho
cause-device = o dispositivo acusa uma falha
cause-too-many-open = há arquivos ou conexões demais abertos

# Quando uma transferência é parada ou a linha cai
client-stopped = Parado. { $name } continua de { $size } quando você quiser: { $again }
client-stopped-several = Parado. { $count ->
    [one] { $count } arquivo continua
   *[other] { $count } arquivos continuam
} do último byte conferido quando você quiser: { $again }
client-cut = { $name } continua de { $size }: { $again }
client-cut-several = { $count ->
    [one] { $count } arquivo continua
   *[other] { $count } arquivos continuam
} do último byte conferido: { $again }
client-stopped-again = o mesmo comando de novo

# O que a ajuda diz de uma opção
help-also = também:
help-values = valores:

# O que está no lugar de um valor numa ajuda
value-by = POR
value-command = COMANDO
value-commands = COMANDOS
value-file = ARQUIVO
value-folder = PASTA
value-format = FORMATO
value-from = DE
value-host = HOST
value-how = COMO
value-lang = LÍNGUA
value-level = NÍVEL
value-name = NOME
value-options = OPÇÕES
value-password = SENHA
value-path = CAMINHO
value-pattern = PADRÃO
value-port = PORTA
value-rate = TAXA
value-seconds = SEGUNDOS
value-shell = SHELL
value-size = TAMANHO
value-time = PRAZO
value-to = PARA
value-when = QUANDO

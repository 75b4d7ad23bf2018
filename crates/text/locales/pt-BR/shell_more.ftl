# O que veio ao shell depois do primeiro esboço.

shell-usage-mirror = [--baixar] PASTA [DESTINO]
arg-mirror-get = Do servidor para cá; sem isto, daqui para o servidor
client-mirror-get = --baixar é para espelhar de um servidor para cá
shell-mirror-name = falta dizer onde fica o espelho
shell-uploads-here = no shell os envios são os deste servidor: não diga outro

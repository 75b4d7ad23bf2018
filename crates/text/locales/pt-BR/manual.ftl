# O manual e o que os shells completam.

help-completions = Imprime o que um shell precisa para completar comandos e opções
help-man = Imprime a página do manual, ou escreve todas numa pasta
arg-completions-shell = bash, zsh, fish, elvish ou powershell
arg-man-folder = Escreve aqui uma página por comando, como gaveta.1 e gaveta-list.1
man-name = NOME
man-synopsis = SINOPSE
man-description = DESCRIÇÃO
man-more = VEJA TAMBÉM
man-version = VERSÃO
man-default = padrão:
man-not-written = { $name } não pôde ser escrito: { $why }

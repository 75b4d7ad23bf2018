# gaveta serve: o que diz ao começar, parar, avisar e recusar.
serve-serves = Servindo { $folder }
serve-serves-read-only = Servindo { $folder } (somente leitura)
serve-listens = Escutando em { $url } ({ $addresses }), só nesta máquina
serve-connect = Para conectar:
serve-word-connect = conectar
serve-a-file = ARQUIVO
serve-how-to-stop = Ctrl-C para o servidor; mais uma vez, para na hora.
serve-stopped = Parado.

serve-warn-fast = --durability=fast: os arquivos não são descarregados no disco; uma queda de energia pode perder o que já foi confirmado.
serve-warn-root = Executando como root. Use --user NOME para seguir como esse usuário depois de abrir a porta.
serve-warn-weak = A senha do administrador é fraca: qualquer um a adivinha logo. Escolha uma mais longa.
serve-warn-no-admin = Não há administrador: ninguém pode apagar, substituir nem renomear. Para ter um, inicie com --admin-password-file ARQUIVO ou a variável GAVETA_ADMIN_PASSWORD, ou uma vez num terminal.
serve-password-made = A senha do administrador, mostrada só desta vez: { $password }

serve-failed = O servidor não pode funcionar: { $reason }
serve-port-in-use = { $address } está em uso: outro programa escuta ali. Pare-o ou escolha outra porta com --port.
serve-port-forbidden = { $address } não pode ser usado: portas abaixo de 1024 são do root. Escolha outra com --port.
serve-port-failed = Não é possível escutar em { $address }: { $reason }
serve-no-host = A máquina { $address } não tem endereço: { $reason }

serve-folder-missing = A pasta { $folder } não existe. Crie-a antes; só a pasta padrão é criada sozinha.
serve-folder-is-file = { $folder } não é uma pasta.
serve-folder-unreadable = A pasta { $folder } não pode ser lida: { $reason }
serve-folder-not-made = A pasta { $folder } não pode ser criada: { $reason }
serve-folder-not-writable = Não é possível gravar na pasta { $folder }: { $reason }. Para servi-la como está: --read-only
serve-folder-locked = Outro servidor está servindo { $folder }. Pare-o ou sirva outra pasta.
serve-folder-failed = A pasta { $folder } não pode ser servida: { $reason }

serve-no-state-dir = Não há lugar para o estado do servidor: defina HOME ou use --state-dir PASTA.
serve-state-beneath = O estado do servidor ficaria em { $path }, dentro da pasta servida { $folder }, onde outros poderiam alcançá-lo. Indique outro lugar com --state-dir PASTA ou sirva outra pasta.
serve-password-file-beneath = O arquivo de senha { $path } está dentro da pasta servida { $folder }, onde qualquer um poderia lê-lo. Mova-o para outro lugar.
serve-password-file = A senha do administrador não pode ser lida ou guardada em { $path }: { $reason }
serve-password-unusable = Uma senha tem de 1 a 1024 bytes de texto UTF-8.
serve-password-damaged = A senha guardada { $path } está danificada. Apague o arquivo ou dê a senha outra vez com --admin-password-file ARQUIVO.
serve-password-exposed = Outros podem mudar a senha guardada { $path }, por isso ela não é confiável. Tire deles o direito de escrita (chmod 600) ou apague o arquivo.
serve-no-random = O sistema não fornece números aleatórios.

serve-user-unknown = Não há usuário { $name } nesta máquina.
serve-user-root = --user { $name } é o root: indique um usuário comum.
serve-user-not-root = Só o root pode tornar-se o usuário { $name }: inicie como root ou deixe --user de fora.
serve-user-failed = Não é possível tornar-se o usuário { $name }: { $reason }

help-serve-folder = A pasta a servir. Sem ela: ./server_files, criada se faltar
help-serve-host = Onde escutar: localhost, um nome ou endereço, 0.0.0.0 para todos. Fora desta máquina, com criptografia
help-serve-port = A porta
help-serve-read-only = Não aceitar mudanças
help-serve-durability = full: o que foi confirmado sobrevive a uma queda de energia. fast: talvez não
help-serve-admin-password-file = Um arquivo cuja primeira linha é a senha do administrador
help-serve-state-dir = Onde o servidor guarda seu estado, fora da pasta servida
help-serve-user = Depois de abrir a porta, seguir como este usuário (só como root)
help-serve-log = A forma do registro: text ou json
help-serve-log-level = Quanto se registra: off, error, warn, info, debug ou trace
help-serve-grace = Quanto tempo as transferências têm para terminar quando o servidor para
help-serve-all-connections = Quantas conexões há ao mesmo tempo, no máximo, entre todos (1024, se não for dito)
help-serve-all-sessions = Quantas sessões há ao mesmo tempo, no máximo; cada uma é também uma conexão (256, se não for dito)
help-serve-max-file-size = O maior arquivo aceito, como 500M ou 4G
help-serve-max-upload-bytes = O tamanho máximo de todos os envios em andamento juntos, como 50G
help-serve-upload-expiry = Por quanto tempo se guarda um envio ao qual nada chega, como 7d ou 12h

# Criptografia: o que o servidor e o cliente dizem de certificados, impressões digitais e proxies.
serve-listens-open = Escutando em { $url } ({ $addresses })
serve-listens-tls = Escutando em { $url } ({ $addresses }), com criptografia
serve-fingerprint = Impressão digital: { $fingerprint }
serve-fingerprint-why = Ninguém mais garante este certificado: os clientes mostram esta impressão digital uma vez e perguntam. Compare as duas.
serve-warn-plain = --plain: nada é criptografado aqui. Só um proxy que criptografa deve alcançar esta porta.
serve-warn-certificate-expired = O certificado venceu: os clientes vão recusá-lo. Renove-o; ele é lido de novo quando muda.
serve-warn-certificate-soon = { $days ->
    [one] O certificado vence em { $days } dia.
   *[other] O certificado vence em { $days } dias.
}
serve-tls-file = O certificado ou a chave { $path } não pode ser lido ou guardado: { $reason }
serve-tls-no-certificate = Não há certificado em { $path }. Ele deve estar em PEM (BEGIN CERTIFICATE), o do servidor primeiro.
serve-tls-no-key = Não há chave utilizável em { $path }. Ela deve estar em PEM (BEGIN PRIVATE KEY) e sem senha.
serve-tls-mismatch = { $key } não é a chave do certificado em { $certificate }. Indique o par que combina.
serve-tls-exposed = Outros podem ler a chave do servidor { $path }, então ela já não é segredo. Apague o arquivo para que uma nova seja criada (os clientes vão perguntar de novo) ou tire deles esse direito (chmod 600).
serve-tls-bad-name = { $name } não pode estar num certificado. Use nomes de letras, algarismos, hifens e pontos.
serve-tls-failed = A porta não pode ser criptografada: { $reason }
serve-key-file-beneath = A chave { $path } está dentro da pasta servida { $folder }, onde outros poderiam lê-la. Mova-a para outro lugar.

help-serve-tls-cert = O certificado, com sua cadeia, em PEM. Lido de novo quando muda
help-serve-tls-key = A chave do certificado, em PEM
help-serve-acme = Obter um certificado para este nome por ACME (Let's Encrypt); a porta 443 dele deve chegar aqui. Você aceita os termos da autoridade. Pode se repetir
help-serve-acme-directory = O diretório ACME de outra autoridade
help-serve-acme-contact = O e-mail para o qual a autoridade pode escrever
help-serve-plain = Não criptografar nada: atrás de um proxy que o faz
help-serve-trusted-proxy = O endereço ou a rede de um proxy cuja palavra vale sobre quem pede. Pode se repetir
help-serve-base-path = O prefixo sob o qual um proxy serve este servidor, como /arquivos
help-serve-allow-host = Outro nome pelo qual este servidor é chamado. Pode se repetir

tls-first = Este servidor ainda não é conhecido: { $server }
tls-its-fingerprint = A impressão digital dele: { $fingerprint }
tls-compare = Compare com a que o servidor mostra quando começa.
tls-ask = Confiar nele de agora em diante? [s/n]
tls-remembered = { $server } foi guardado.
tls-not-trusted = Não conectado: { $server } não recebeu sua confiança, e nada lhe foi enviado.
tls-unknown = { $server } não é conhecido, e o certificado dele não prova nada: { $why }. Se a impressão digital dele é mesmo { $fingerprint }, use --fingerprint { $fingerprint } ou conecte uma vez num terminal.
tls-doubt-expired = ele venceu
tls-doubt-early = ele ainda não vale
tls-doubt-name = ele é de outro nome
tls-doubt-issuer = ele não é assinado por ninguém que esta máquina conheça
tls-doubt-other = { $why }
tls-changed = { $server } mostra OUTRA IMPRESSÃO DIGITAL. Alguém pode estar entre você e o servidor, ou ele tem uma chave nova. Nada lhe foi enviado.
    conhecida: { $known }
    mostrada:  { $shown }
    Pergunte a quem cuida do servidor. Se a chave nova está certa: gaveta esquecer { $server }, e conecte de novo.
tls-other = { $server } mostra uma impressão digital diferente da que foi dada. Nada lhe foi enviado.
    dada:     { $known }
    mostrada: { $shown }
tls-handshake = { $server } não chegou a um acordo conosco sobre uma conexão criptografada: { $why }
tls-open-fingerprint = Foi dada uma impressão digital para { $server }, mas com http:// um servidor não mostra nenhuma. Nada foi enviado. Conecte sem http://.
tls-elsewhere = { $server } leva a { $address }, não a esta máquina, e nada seria criptografado. Nada foi enviado. Conecte com https://.
tls-plain-password = A senha não é enviada a { $server } sem criptografia. Conecte com https:// ou sem http:// no endereço.
tls-known-servers = Os servidores conhecidos em { $path } não podem ser lidos ou guardados: { $why }
tls-no-home = Não há lugar para guardar servidores: defina HOME ou use --fingerprint.
tls-forgot = { $server } foi esquecido.
tls-not-known = { $server } não era conhecido.

verb-forget = Esquecer a impressão digital de um servidor
arg-forget-server = O servidor: MÁQUINA[:PORTA]
arg-fingerprint = A impressão digital do servidor, em vez de uma pergunta

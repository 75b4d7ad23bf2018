# Encryption: what the server and the client say about certificates, fingerprints and proxies.
serve-listens-open = Listening at { $url } ({ $addresses })
serve-listens-tls = Listening at { $url } ({ $addresses }), encrypted
serve-fingerprint = Fingerprint: { $fingerprint }
serve-fingerprint-why = Nobody else vouches for this certificate: clients show this fingerprint once and ask. Compare the two.
serve-warn-plain = --plain: nothing is encrypted here. Only a proxy that encrypts should reach this port.
serve-warn-certificate-expired = The certificate has expired: clients will refuse it. Renew it; it is read again when it changes.
serve-warn-certificate-soon = { $days ->
    [one] The certificate expires in { $days } day.
   *[other] The certificate expires in { $days } days.
}
serve-tls-file = The certificate or key { $path } cannot be read or kept: { $reason }
serve-tls-no-certificate = There is no certificate in { $path }. It must be in PEM (BEGIN CERTIFICATE), the server's own first.
serve-tls-no-key = There is no usable key in { $path }. It must be in PEM (BEGIN PRIVATE KEY) and without a password.
serve-tls-mismatch = { $key } is not the key of the certificate in { $certificate }. Give the pair that belongs together.
serve-tls-exposed = Others may read the server's key { $path }, so it is no secret any more. Delete the file to have a new key made (clients will ask again), or take their right away (chmod 600).
serve-tls-bad-name = { $name } cannot stand in a certificate. Give names of letters, digits, hyphens and dots.
serve-tls-failed = The port cannot be encrypted: { $reason }
serve-key-file-beneath = The key { $path } lies within the served folder { $folder }, where others could read it. Move it elsewhere.

help-serve-tls-cert = The certificate, with its chain, in PEM. Read again when it changes
help-serve-tls-key = The key of the certificate, in PEM
help-serve-acme = Get a certificate for this name by ACME (Let's Encrypt); its port 443 must lead here. You agree to the authority's terms. May be repeated
help-serve-acme-directory = The ACME directory of another authority
help-serve-acme-contact = The mail address the authority may write to
help-serve-plain = Encrypt nothing: behind a proxy that does
help-serve-trusted-proxy = A proxy's address or network, whose word counts about who asks. May be repeated
help-serve-base-path = The prefix under which a proxy serves this server, such as /files
help-serve-allow-host = Another name by which this server is called. May be repeated

tls-first = This server is not known yet: { $server }
tls-its-fingerprint = Its fingerprint: { $fingerprint }
tls-compare = Compare it with the one the server shows when it starts.
tls-ask = Trust it from now on? [y/n]
tls-remembered = Remembered { $server }.
tls-not-trusted = Not connected: { $server } was not trusted, and nothing was sent to it.
tls-unknown = { $server } is not known, and its certificate proves nothing: { $why }. If its fingerprint really is { $fingerprint }, give --fingerprint { $fingerprint }, or connect once on a terminal.
tls-doubt-expired = it has expired
tls-doubt-early = it is not valid yet
tls-doubt-name = it is for another name
tls-doubt-issuer = it is signed by nobody this machine knows
tls-doubt-other = { $why }
tls-changed = { $server } shows ANOTHER FINGERPRINT than before. Somebody may stand between you and the server, or it has a new key. Nothing was sent to it.
    known:  { $known }
    shown:  { $shown }
    Ask whoever runs the server. If the new key is right: gaveta forget { $server }, then connect again.
tls-other = { $server } shows another fingerprint than the one that was given. Nothing was sent to it.
    given:  { $known }
    shown:  { $shown }
tls-handshake = { $server } could not agree with us on an encrypted connection: { $why }
tls-open-fingerprint = A fingerprint was given for { $server }, but with http:// a server shows none. Nothing was sent. Connect without http://.
tls-elsewhere = { $server } leads to { $address }, not to this machine, and nothing would be encrypted. Nothing was sent. Connect with https://.
tls-plain-password = The password is not sent to { $server } unencrypted. Connect with https://, or without http:// in the address.
tls-known-servers = The known servers in { $path } cannot be read or kept: { $why }
tls-no-home = There is no place to remember servers: set HOME, or give --fingerprint.
tls-forgot = Forgot { $server }.
tls-not-known = { $server } was not known.

verb-forget = Forget a server's fingerprint
arg-forget-server = The server: HOST[:PORT]
arg-fingerprint = The server's fingerprint, instead of a question

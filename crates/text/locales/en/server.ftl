# gaveta serve: what it says when it starts, stops, warns and refuses.
serve-serves = Serving { $folder }
serve-serves-read-only = Serving { $folder } (read-only)
serve-listens = Listening at { $url } ({ $addresses }), on this machine alone
serve-connect = To connect:
serve-word-connect = connect
serve-a-file = FILE
serve-how-to-stop = Ctrl-C stops it; once more stops it at once.
serve-stopped = Stopped.

serve-warn-fast = --durability=fast: files are not flushed to the disk; a power cut may lose what was acknowledged.
serve-warn-root = Running as root. Give --user NAME to go on as that user once the port is open.
serve-warn-weak = The administrator's password is weak: anybody would guess it soon. Choose a longer one.
serve-warn-no-admin = There is no administrator: nobody can delete, replace or rename. To have one, start with --admin-password-file FILE or the variable GAVETA_ADMIN_PASSWORD, or once on a terminal.
serve-password-made = The administrator's password, shown this once: { $password }

serve-failed = The server cannot run: { $reason }
serve-port-in-use = { $address } is in use: another program listens there. Stop it, or choose another port with --port.
serve-port-forbidden = { $address } may not be used: ports below 1024 are for root. Choose another with --port.
serve-port-failed = Cannot listen at { $address }: { $reason }
serve-no-host = The host { $address } has no address: { $reason }

serve-folder-missing = The folder { $folder } does not exist. Make it first; only the default folder is made by itself.
serve-folder-is-file = { $folder } is not a folder.
serve-folder-unreadable = The folder { $folder } cannot be read: { $reason }
serve-folder-not-made = The folder { $folder } cannot be made: { $reason }
serve-folder-not-writable = The folder { $folder } cannot be written to: { $reason }. To serve it as it is: --read-only
serve-folder-locked = Another server is serving { $folder }. Stop it, or serve another folder.
serve-folder-failed = The folder { $folder } cannot be served: { $reason }

serve-no-state-dir = There is no place for the server's state: set HOME, or give --state-dir FOLDER.
serve-state-beneath = The server's state would lie at { $path }, within the served folder { $folder }, where others could reach it. Give another place with --state-dir FOLDER, or serve another folder.
serve-password-file-beneath = The password file { $path } lies within the served folder { $folder }, where anybody could read it. Move it elsewhere.
serve-password-file = The administrator's password cannot be read or kept in { $path }: { $reason }
serve-password-unusable = A password has 1 to 1024 bytes of UTF-8 text.
serve-password-damaged = The kept password { $path } is damaged. Delete the file, or give the password again with --admin-password-file FILE.
serve-password-exposed = Others may change the kept password { $path }, so it is not trusted. Take their right to write away (chmod 600), or delete the file.
serve-no-random = The system gives no random numbers.

serve-user-unknown = There is no user { $name } on this machine.
serve-user-root = --user { $name } is root: name an ordinary user.
serve-user-not-root = Only root can become the user { $name }: start as root, or leave --user out.
serve-user-failed = Cannot become the user { $name }: { $reason }

help-serve-folder = The folder to serve. Left out: ./server_files, made if missing
help-serve-host = Where to listen: localhost, a name or an address, 0.0.0.0 for all. Off this machine it is encrypted
help-serve-port = The port
help-serve-read-only = Take no changes
help-serve-durability = full: what is acknowledged survives a power cut. fast: it may not
help-serve-admin-password-file = A file whose first line is the administrator's password
help-serve-state-dir = Where the server keeps its state, outside the served folder
help-serve-user = Once the port is open, go on as this user (only as root)
help-serve-log = How the log looks: text or json
help-serve-log-level = How much is logged: off, error, warn, info, debug or trace
help-serve-grace = How long transfers may take to end when the server stops
help-serve-all-connections = How many connections there may be at once, of all together (1024 when left out)
help-serve-all-sessions = How many sessions there may be at once; each is a connection too (256 when left out)
help-serve-max-file-size = The largest file that is taken, such as 500M or 4G
help-serve-max-upload-bytes = All uploads under way together are at most so large, such as 50G
help-serve-upload-expiry = How long an upload to which nothing arrives is kept, such as 7d or 12h

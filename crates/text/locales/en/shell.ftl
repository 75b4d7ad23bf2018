# The shell: what is typed, what it says by itself, and the verbs that are only there.

shell-welcome = Welcome to the file server. Type help to see the commands.
shell-goodbye = You were disconnected from the server.
shell-unknown = Command "{ $word }" is not available. Type help to see them all.
shell-unknown-near = Command "{ $word }" is not available. Did you mean { $near }? Type help to see them all.
shell-empty-server = The server is empty.
shell-empty-folder = The folder is empty.
shell-deleted-file = File deleted!
shell-deleted-folder = Folder deleted!
shell-search = search:
shell-interrupted = To leave: exit or Ctrl-D
shell-ask-leave = Leave the server? [y]es, [n]o:
shell-plain = The terminal does not answer: from now on without a line editor.

# Help
shell-help-more = Help of one command: help COMMAND. Portuguese words work, too.
shell-help-words = Words: { $words }
shell-usage-none = { "" }
shell-usage-list = [FOLDER or PATTERN]…
shell-usage-send = FILE… [FOLDER/]
shell-usage-get = NAME… [FOLDER/]
shell-usage-delete = NAME [PASSWORD]
shell-usage-rm = NAME…
shell-usage-move = NAME… TARGET
shell-usage-mkdir = FOLDER…
shell-usage-info = NAME…
shell-usage-cat = FILE…
shell-usage-cd = [FOLDER]
shell-usage-lcd = [FOLDER]
shell-usage-lls = [FOLDER]
shell-usage-events = [on|off]
shell-usage-help = [COMMAND]

verb-cat = Show the content of files
verb-df = Show the total and free space of the server
verb-cd = Go into a folder of the server
verb-pwd = Show the folder of the server one is in
verb-lcd = Go into a folder of this machine, or show which one is in
verb-lpwd = Show the folder of this machine one is in
verb-lls = List what a folder of this machine holds
verb-events = Tell or do not tell what others do on the server
verb-help = Show the commands, or all about one of them
verb-exit = Leave the server

arg-cat-names = Files or patterns
arg-df-server = The server
arg-cd-folder = The folder: the root when left out, the one before when -
arg-lcd-folder = The folder of this machine
arg-lls-folder = The folder of this machine: the current one when left out
arg-events-switch = on or off
arg-help-verb = The command

# Faults of what is typed
shell-only = this is for the shell only: gaveta connect
shell-no-input = in the shell standard input brings commands; to send it: gaveta send - HOST/NAME
shell-no-output = in the shell nothing goes to standard output; to read a file: cat NAME
shell-not-utf8 = the line is not UTF-8
shell-too-long = the line is too long: at most { $most } bytes
shell-not-closed = a quote is not closed
shell-unknown-option = there is no option { $argument }. Usage: { $usage }
shell-no-command = there is no command { $argument }. Help: { $usage }
shell-too-many = "{ $argument }" is too much. Usage: { $usage }
shell-missing = { $argument } is missing. Usage: { $usage }
shell-bad-value = "{ $value }" does not fit { $argument }. Usage: { $usage }
shell-twice = { $argument } does not go with the rest. Usage: { $usage }
shell-no-sense = this makes no sense. Usage: { $usage }

# Events and the connection
shell-events-on = What others do will be told.
shell-events-off = What others do will not be told.
shell-who-visitor = somebody
shell-who-admin = the administrator
shell-event-sent = { $who } sent { $name }
shell-event-folder = { $who } made { $name }
shell-event-changed = { $who } changed { $name }
shell-event-deleted = { $who } deleted { $name }
shell-event-moved = { $who } moved { $name } → { $to }
shell-event-more = { $count ->
    [one] and { $count } more change
   *[other] and { $count } more changes
}
shell-closing = The server is going down.
shell-lost = The connection was lost; trying again…
shell-back = The connection is back.

# gaveta connect, and gaveta alone
help-connect = Connect to a server and open the shell
arg-connect-server = The server, and the folder to begin in; localhost when left out
arg-connect-command = Run these commands, parted by ; and leave
arg-connect-file = Run the commands of this file and leave
arg-connect-keep-going = Do not stop at the first command that fails
arg-connect-no-events = Do not tell what others do
help-plain-output = Lines only: no colours, bars or editor, for screen readers
ask-what = [s]erve a folder or [c]onnect to a server? [c]:
ask-port = Port [{ $port }]:
ask-host = Server [{ $host }]:
ask-again = This does not fit: { $word }

client-no-address = it must be said where: HOST[:PORT]/PATH
client-not-gaveta = { $server }: what answers there is no Gaveta server{ $why }
client-other-protocol = { $server }: the server speaks version { $theirs } of the protocol, and this client { $ours }; update the older one

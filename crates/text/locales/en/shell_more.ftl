# The track of the shell: what was added to it after its first draft.

shell-usage-mirror = FOLDER [TARGET]
arg-mirror-get = From the server to here; without it from here to the server
client-mirror-durability = --durability is for a mirror from a server to here: how durable files are on a server is the server's choice
client-mirror-get = --get is for a mirror from a server to here
shell-mirror-name = say where the mirror is to be
shell-uploads-here = in the shell the uploads are those of this server: name no other

# What caused an error
cause-refused = nothing listens there
cause-cut = the other side closed the connection
cause-early-end = it ended too early
cause-timed-out = no answer came in time
cause-unreachable = there is no way to that machine
cause-no-address = this machine does not have that address
cause-unknown-host = nobody knows a machine of that name
cause-not-found = it is not there
cause-permission = the system does not allow it
cause-no-space = there is no room left
cause-read-only = that file system can only be read
cause-too-large = the file system takes no file that large
cause-device = the device reports a failure
cause-too-many-open = too many files or connections are open

# When a transfer is stopped, or its line is lost
client-stopped = Stopped. { $name } goes on from { $size } whenever you like: { $again }
client-stopped-several = Stopped. { $count ->
    [one] { $count } file goes on
   *[other] { $count } files go on
} from the last verified byte whenever you like: { $again }
client-cut = { $name } goes on from { $size }: { $again }
client-cut-several = { $count ->
    [one] { $count } file goes on
   *[other] { $count } files go on
} from the last verified byte: { $again }
client-stopped-again = the same command again

# What the help says of an option
help-also = also:
help-values = values:

# What stands for a value in a help
value-by = BY
value-command = COMMAND
value-commands = COMMANDS
value-file = FILE
value-folder = FOLDER
value-format = FORMAT
value-from = FROM
value-host = HOST
value-how = HOW
value-lang = LANG
value-level = LEVEL
value-name = NAME
value-options = OPTIONS
value-password = PASSWORD
value-path = PATH
value-pattern = PATTERN
value-port = PORT
value-rate = RATE
value-seconds = SECONDS
value-shell = SHELL
value-size = SIZE
value-time = TIME
value-to = TO
value-when = WHEN

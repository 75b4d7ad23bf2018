# The client: verbs, their help, questions, notes.

# Help
help-about = Opens a folder to the network, and the client that talks to it
help-usage = Usage:
help-commands = Commands
help-arguments = Arguments
help-options = Options
help-help = Show this help
help-version = Show the version
help-lang = Language of the messages: pt-BR or en
help-json = One JSON object per line for everything: for scripts
help-quiet = Only results and errors
help-color = Colours: auto, always or never
help-serve = Open a folder to the network
help-more = Help of one command: gaveta COMMAND --help

verb-list = List what a folder holds
verb-send = Send files and folders to a server
verb-get = Get files and folders from a server
verb-delete = Delete one file or empty folder
verb-rm = Delete several files, and with -r whole folders
verb-move = Move or rename on the server
verb-copy = Copy on the server
verb-mirror = Make a folder like another: only what differs goes over
verb-uploads = List what is being sent to a server, and end what nobody will finish
verb-mkdir = Make folders
verb-info = Show all that is known of an entry, and the free space of the root

arg-password-file = File whose first line is the administrator's password (or set GAVETA_PASSWORD)
arg-dry-run = Only show what would be done
arg-replace = Replace files that are there already
arg-parallel = So many files at once (1 to 64)
arg-durability = full: what arrived survives a power cut. fast: it may not, and is not waited for
arg-limit-rate = At most so many bytes a second: 10M, 500K, 2Mi
arg-mirror-from = What is copied from: a folder here, or one on a server
arg-mirror-to = The folder that becomes like it
arg-mirror-durability = Of a mirror to here. full: what arrived survives a power cut (so unless said). fast: it may not, and is not waited for
arg-mirror-delete = Also delete what only the target has, at the end and only when all went well
arg-mirror-checksum = Compare contents: both sides read every byte again, trusting no kept digest; else size and modified time decide
arg-mirror-exclude = Leave names or paths alone that match, on both sides (repeat for more): *.tmp, cache/, docs/**/*.bak
arg-mirror-watch = Go on with what changes, until Ctrl-C
arg-uploads-host = The server
arg-uploads-end = End the upload of this id (repeat for more)
arg-uploads-end-all = End all of them
arg-follow-links = Send what symbolic links point to, instead of skipping them
arg-long = More about each entry
arg-list-places = Folders, files or patterns on a server
arg-list-recursive = Also what lies in the folders below
arg-sort = Sort by name, size or modified; none: as the server finds them
arg-reverse = From the last to the first
arg-send-words = Files and folders, or - for standard input; last the target: a folder when it ends in / or is one, else the new name
arg-send-to = The target, instead of the last word
arg-get-words = Files, folders or patterns on a server; last the folder to put them in (this one when left out), or - for standard output
arg-get-to = The folder to put them in, instead of the last word
arg-delete-name = What to delete
arg-delete-password = The administrator's password; others can see it in the process list: better use --password-file
arg-rm-names = Files, folders or patterns to delete
arg-rm-recursive = Folders with all that is in them
arg-yes = Do not ask
arg-moving-places = One or more entries, and last where they go on the same server: into a folder when it ends in / or is one, else the new name
arg-mkdir-folders = The folders to make
arg-mkdir-parents = Make missing folders on the way, too; no error when a folder is there
arg-info-names = Entries or patterns

# Addresses
address-scheme = { $address }: an address begins with HOST, http:// or gaveta://
address-no-host = "{ $address }" is no address: it must look like HOST[:PORT]/PATH, as in localhost/photo.jpg
address-user = { $address }: no user names or passwords in an address; use --password-file
address-host = { $address }: this is not the name of a host; an address looks like HOST[:PORT]/PATH
address-port = { $address }: the port must be a number from 1 to 65535
address-brackets = { $address }: an IPv6 address stands in brackets, as in [::1]:4283/name

# Faults of the command line
client-empty-name = an empty name names nothing
client-no-target = it must be said what and where to: at least two words
client-several-into-one = several things cannot become { $target }: to put them into a folder, end it with /
client-target-not-utf8 = the target's name is not UTF-8
client-address-not-utf8 = the address is not UTF-8
client-no-name = the root of the file system has no name of its own: say the new name
client-stdin-alone = standard input (-) can only be sent alone
client-stdin-name = standard input has no name: say the new file's whole name
client-stdout-alone = only one file goes to standard output (-)
client-mirror-sides = one word must be a folder here, the other one on a server; to tell them apart write ./NAME and gaveta://HOST/PATH
client-bad-exclude = "{ $pattern }" is no pattern of names or paths
client-many-excludes = at most { $count } patterns
client-uploads-host = only the server is named here, without a path
client-two-servers = { $one } and { $other } are two servers: this works within one; get it first, then send it

# Other failures
client-no-answer = { $server }: no Gaveta server answers there ({ $why })
client-no-match = nothing matches { $pattern }
client-same-name = { $one } and { $other } would get the same name
client-link = { $name } is a symbolic link; to send what it points to: --follow-links
client-link-loop = { $name } is a symbolic link that leads nowhere or in a circle
client-special = { $name } is a FIFO, socket or device, which is never opened
client-password-file = the password file { $name } cannot be used: { $why }
client-rm-folder = { $name } is a folder; to delete it with all that is in it: -r
client-more-failed = { $count ->
    [one] gaveta: { $count } more failed
   *[other] gaveta: { $count } more failed
}
client-watch-failed = changes in { $name } cannot be watched: { $why }
client-interrupted = stopped

# Questions
client-ask-password = Administrator's password of { $server }:
client-ask-replace = { $name } is there already ({ $size }, { $time }). Replace it by { $new-size }, { $new-time }? [y]es, [n]o, [a]ll, none:
client-ask-end = { $count ->
    [one] End { $count } upload? What arrived of it is lost. [y]es, [n]o:
   *[other] End { $count } uploads? What arrived of them is lost. [y]es, [n]o:
}
client-ask-delete = { $more ->
    [0] Delete { $name }? [y]es, [n]o:
    [one] Delete { $name } and one more? [y]es, [n]o:
   *[other] Delete { $name } and { $more } more? [y]es, [n]o:
}

# Notes
client-skipped-link = skipped: { $name } is a symbolic link
client-skipped-special = skipped: { $name } is a FIFO, socket or device
client-skipped-unnameable = skipped: { $name } has a name that cannot be used
client-skipped-exists = skipped: { $name } is there already
client-skipped-same = skipped: { $name } is there already, the same
client-restarted-source = { $name } changed since it was cut: it starts over
client-restarted-target = what is there of { $name } is of no use any more: it starts over
client-restarted-forgotten = the server no longer has what it got of { $name }: it starts over
client-retrying = { $name }: { $why }; trying again
client-progress = { "  " }{ $done } of { $size }   { $rate }   { $left } left
client-progress-short = { "  " }{ $rate }   { $left } left
client-progress-left = { "  " }{ $left } left
client-progress-least = { "" }
client-progress-files = { $done } of { $count } files
client-sent = { $count ->
    [one] { $count } file, { $size }, sent and verified in { $time } ({ $rate })
   *[other] { $count } files, { $size }, sent and verified in { $time } ({ $rate })
}
client-got = { $count ->
    [one] { $count } file, { $size }, got and verified in { $time } ({ $rate })
   *[other] { $count } files, { $size }, got and verified in { $time } ({ $rate })
}
client-planned-total = { $count ->
    [one] { $count } file, { $size }, would be copied
   *[other] { $count } files, { $size }, would be copied
}
client-mirrored = { $count ->
    [0] nothing to copy
    [one] { $count } file, { $size }, copied and verified in { $time } ({ $rate })
   *[other] { $count } files, { $size }, copied and verified in { $time } ({ $rate })
}
client-total-resumed = , { $size } of it from an earlier run
client-total-equal = , { $size } of it as in the old version
client-total-again = , { $size } sent again
client-total-moved = , { $size } went over
client-total-restarted = { $count ->
    [one] , { $count } started over
   *[other] , { $count } started over
}
client-total-same = { $count ->
    [one] , { $count } the same already
   *[other] , { $count } the same already
}
client-total-touched = { $count ->
    [one] , { $count } got another time or mode
   *[other] , { $count } got another time or mode
}
client-total-deleted = { $count ->
    [one] , { $count } deleted
   *[other] , { $count } deleted
}
client-total-skipped = { $count ->
    [one] , { $count } skipped
   *[other] , { $count } skipped
}
client-total-failed = { $count ->
    [one] , { $count } FAILED
   *[other] , { $count } FAILED
}
client-sent-one = { $name }, { $size }, sent and verified
client-planned = would go: { $from } → { $to }
client-moved = { $from } → { $to }
client-copied = { $from } → { $to }
client-deleted = deleted: { $name }
client-would-delete = would delete: { $name }
client-would-touch = would get another time or mode: { $name }
client-more-extra = { $count ->
    [one] and { $count } more would be deleted
   *[other] and { $count } more would be deleted
}
client-mirror-kept = { $count ->
    [one] something failed, so nothing is deleted: { $count } entry is only at the target
   *[other] something failed, so nothing is deleted: { $count } entries are only at the target
}
client-watching = watching { $name }; Ctrl-C ends it
client-watch-lost = the line to { $server } is gone; trying to get it back
client-watch-again = the line to { $server } is back; comparing everything again
client-upload-ended = ended: { $id }
client-uploads-none = nothing is under way
client-uploads-total = { $count ->
    [one] { $count } upload under way, { $size } arrived
   *[other] { $count } uploads under way, { $size } arrived
}
client-made = made: { $name }
client-would-make = would make: { $name }
client-list-total = { $count ->
    [one] { $count } item, { $size }
   *[other] { $count } items, { $size }
}
client-kind-file = file
client-kind-folder = folder
client-kind-link = link
client-kind-special = special
client-yes = yes
client-no = no

# info
info-name = Name
info-kind = Kind
info-size = Size
info-modified = Modified
info-executable = Executable
info-version = Version
info-digest = BLAKE3
info-total = Total space
info-free = Free space

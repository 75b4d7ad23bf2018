# The trash, versions, undo and verify.

verb-undo = Bring back what was deleted last
verb-trash = List what was deleted or replaced, the newest first
verb-restore = Bring something back from the trash
verb-versions = List the earlier contents of a file; get one, or bring it back
verb-purge = Destroy what is in the trash, for good (administrator)
verb-verify = Read everything again and report what is not as it was stored

arg-undo-server = The server
arg-trash-path = Only what was here and beneath; left out: everything
arg-trash-by = Only what this account put there
arg-trash-since = Only since then: 2h, 3d, 2026-11-23 or 2026-11-23T10:12:00Z
arg-trash-until = Only before then, in the same forms
arg-restore-name = What to bring back: what was last deleted or replaced at this path
arg-restore-id = The one with this id, as the trash shows it
arg-restore-all = Everything deleted here and beneath; with --by or --since, only that
arg-restore-to = Bring it back here instead of where it was
arg-restore-beside = Where something stands in the way, put it beside under a new name
arg-restore-replace = Replace the file that stands in the way (it goes to the trash)
arg-versions-name = The file
arg-versions-get = Fetch the content with this id into a file of this machine
arg-versions-to = The name of that file
arg-versions-restore = Make the content with this id the current one again
arg-purge-path = Only what was here and beneath; left out: everything
arg-purge-yes = Do not ask
arg-rm-forever = Past the trash: it cannot be brought back (administrator)
arg-verify-place = A server, or a folder of this machine that nobody is serving now
arg-verify-afresh = From the beginning, even if an earlier one was broken off
arg-verify-background = Only start it on the server
arg-verify-stop = Stop it on the server; it can go on later
arg-verify-status = Only tell how far it is

shell-usage-trash = [FOLDER]
shell-usage-restore = [NAME]
shell-usage-versions = FILE
shell-deleted-undo = To bring it back: undo

client-bad-time = "{ $text }" is not a time; write 2h, 3d, 2026-11-23 or 2026-11-23T10:12:00Z
client-vague-id = "{ $id }" names nothing for sure: give at least the 8 digits that the trash shows, or all 32
client-no-trash = this server keeps no trash: what is deleted or replaced there is gone
client-no-verify = this server cannot verify what it stores
client-not-in-trash = { $name } is not in the trash
client-other-version = that is no version of { $name }
client-nothing-to-undo = nothing that you deleted is in the trash
client-restore-one = --to and --id are for one thing: leave out --all, --by, --since and --until
client-restore-what = say what to bring back: a name, --id ID, or --all
client-purge-yes = this destroys things for good and nobody can be asked here: add --yes
client-trash-empty = The trash holds nothing of that.
client-trash-total = { $count ->
    [one] { $count } thing in the trash, kept for { $days ->
        [one] { $days } day
       *[other] { $days } days
    }. To bring one back: restore NAME
   *[other] { $count } things in the trash, kept for { $days ->
        [one] { $days } day
       *[other] { $days } days
    }. To bring one back: restore NAME
}
client-cause-deleted = deleted
client-cause-replaced = replaced
client-restored = brought back: { $name }
client-restored-name = restored
client-ask-taken = { $name } is there already. Put the old one [b]eside it, [r]eplace it, or [n]either:
client-ask-beside = { $name } is there already. Put the old one [b]eside it, or [n]ot:
client-ask-purge = Destroy this for good? [y]es, [n]o:
client-purged = { $count ->
    [one] { $count } thing destroyed
   *[other] { $count } things destroyed
}
client-version-now = current
client-version-same = same as the current one
client-version-fetched = fetched and verified: { $name }
client-versions-total = { $count ->
    [0] No earlier versions.
    [one] { $count } earlier version. To have it back: versions NAME --restore ID
   *[other] { $count } earlier versions. To have one back: versions NAME --restore ID
}

client-found-rotten = damaged: { $name }: its content is not what was stored
client-found-changed = changed by another program: { $name }
client-found-undigested = nothing to compare with: { $name }
client-found-unreadable = cannot be read: { $name }
client-found-stray = belongs to nobody: .gaveta/{ $name }
client-found-in-trash = (in the trash)
client-found-better = { "  " }a good earlier version is in the trash: restore --id { $id } --replace
client-verify-begun = The server verifies in the background. How far it is: verify --status
client-verify-stopping = The server stops verifying. To go on: verify
client-verify-running = Verifying: { $count ->
    [one] { $count } file
   *[other] { $count } files
}, { $size } so far
client-verify-ended = Verified: { $count ->
    [one] { $count } file
   *[other] { $count } files
}, { $size }
client-verify-broken-off = Broken off after { $count ->
    [one] { $count } file
   *[other] { $count } files
}, { $size }
client-verify-sound = { $count } as stored
client-verify-changed = { $count } changed by other programs
client-verify-undigested = { $count } without anything to compare with
client-verify-rotten = { $count } damaged
client-verify-unreadable = { $count } that cannot be read
client-verify-strays = { $count } things in .gaveta that belong to nobody

serve-trash = Deleted and replaced files are kept for { $days ->
    [one] { $days } day
   *[other] { $days } days
}, up to { $share } % of the disk.
serve-trash-short = Deleted and replaced files are kept for { $time }, up to { $share } % of the disk.
serve-trash-off = There is no trash: what is deleted or replaced is gone.
help-serve-trash = How long deleted and replaced files are kept, such as 30d; off: not at all
help-serve-trash-share = The most of the disk that the trash may take, in percent; the oldest go first
help-serve-trash-yields = When the disk fills, the oldest in the trash go before anything is refused
help-serve-verify-every = Read everything again every so often, such as 30d

# The page: the drawer in a browser.
page-description = A drawer of files: look in, put something in, take it out.
page-skip = Skip to the files
page-root = Drawer
page-way = Where you are
page-caption = What is in { $name }
page-name = Name
page-size = Size
page-date = Changed
page-select = Select { $name }
page-never-opened = (never opened here)
page-empty = This drawer is empty.
page-empty-send = Drop files here, or press Send.
page-count = { $n ->
    [one] { $count } item
   *[other] { $count } items
}
page-unnameable = { $n ->
    [one] One more thing lies here under a name that cannot be used:
   *[other] More things lie here under names that cannot be used:
}
page-more = Show more
page-list-cut = The list ends here before its end:
page-account = Account
page-sign-in = Sign in
page-sign-out = Sign out
page-account-name = Name
page-password = Password
page-cancel = Cancel
page-admin = Server
page-admin-now = Now
page-admin-connections = Connections
page-admin-sessions = Open pages and shells
page-admin-requests = Requests
page-admin-received = Received
page-admin-sent = Sent
page-admin-room = Room
page-admin-free = { $free } free of { $total }
page-admin-connected = Who is connected
page-admin-nobody = Nobody else.
page-admin-more = { $n ->
    [one] and { $count } more
   *[other] and { $count } more
}
page-admin-visitor = not signed in
page-admin-by-token = token { $id }
page-admin-by-link = link { $id }
page-admin-session = an open page or shell
page-admin-since = since
page-admin-in = received: { $size }
page-admin-out = sent: { $size }
page-admin-uploads = Uploads under way
page-admin-none = None.
page-admin-end = End
page-admin-events = What happens
page-search = Search by name
page-search-label = Search below this folder
page-search-go = Search
page-search-title = Search: { $sought }
page-found = { $n ->
    [one] { $count } found.
   *[other] { $count } found.
}
page-found-part = There may be more: only the first are shown. Search in a smaller folder, or for a longer name.
page-send = Send
page-send-go = Send
page-files = Files
page-taken = If a name is taken
page-taken-keep = Keep both
page-taken-replace = Replace
page-taken-skip = Skip
page-new-folder = New folder
page-make = Make
page-get-all = Get all (ZIP)
page-chosen = With what is selected
page-get = Get
page-rename = Rename
page-move = Move
page-copy = Copy
page-delete = Delete
page-delete-sure = { $n ->
    [one] Delete this, with all that is in it?
   *[other] Delete these { $count }, with all that is in them?
}
page-new-name = New name
page-to-folder = Into which folder
page-back = Back to the folder
page-not-all = Not all of it was done
page-error-home = To the start
page-foot = Gaveta: a drawer for your files

# What somebody at a page can do about an error.
advice-not-found = It may have been moved or deleted. Go to the start and look for it.
advice-exists = Choose another name, or replace what is there.
advice-version-mismatch = Somebody changed it just now. See what is there and try again.
advice-sign-in-needed = Sign in with an account that may do this.
advice-wrong-password = Check the name and the password, and try again.
advice-denied = Your account may not do this here. Ask whoever looks after the server.
advice-no-space = Make room there and try again; what was there before is still there.
advice-too-large = The server takes no more than this at once. Choose something smaller.
advice-not-empty = Delete what is in the folder first.
advice-not-a-folder = Something on the way is a file. Go to the start and look.
advice-bad-move = A folder cannot go into itself. Choose another place.
advice-busy = Wait a moment and try again.
advice-closing = Wait until the server is back, and try again.
advice-timed-out = Check the connection and try again.
advice-io = Try again. If it stays so, tell whoever looks after the server: its log says more.
advice-permission = The server's own system does not allow it. Tell whoever looks after it.
advice-bad-request = Go back and try again.
advice-read-only = This server takes no changes.
advice-path = Choose another name.

# What the scripts of the page say. A number chooses between one and several.
js-and-more = { $n ->
    [one] and { $count } more
   *[other] and { $count } more
}
js-and-more-failed = { $n ->
    [one] { $count } more failed.
   *[other] { $count } more failed.
}
js-camera = Take a picture
js-cancel = Cancel
js-cancel-all = Cancel all
js-cannot-read = { $name } cannot be read.
js-cannot-show = This cannot be shown here. Get it to look at it.
js-chosen = { $n ->
    [one] { $count } selected
   *[other] { $count } selected
}
js-close = Close
js-copied = { $n ->
    [one] Copied.
   *[other] { $count } copied.
}
js-copy = { $n ->
    [one] Copy
   *[other] Copy { $count } items
}
js-copy-here = Copy here
js-delete = Delete
js-delete-sure = { $n ->
    [one] Delete this, with all that is in it?
   *[other] Delete these { $count }, with all that is in them?
}
js-deleted = { $n ->
    [one] Deleted.
   *[other] { $count } deleted.
}
js-dismiss = Dismiss
js-drop = Drop here to send
js-filter = Filter this list
js-filter-left = { $n ->
    [one] { $count } item shown
   *[other] { $count } items shown
}
js-fold = Fold or unfold
js-folder = Folder
js-graph = How fast it travels, the last two minutes
js-in = in: { $rate }
js-out = out: { $rate }
js-get = Get
js-go-on = Continue
js-key-all = select all
js-key-choose = select
js-key-delete = delete
js-key-escape = select nothing, close
js-key-filter = filter
js-key-move = up and down
js-key-open = open
js-key-range = select several
js-key-rename = rename
js-key-up = the folder above
js-keys = The keyboard
js-left = { $time } left
js-made = Folder { $name } made.
js-make = Make
js-move = { $n ->
    [one] Move
   *[other] Move { $count } items
}
js-move-here = Move here
js-moved = { $n ->
    [one] Moved.
   *[other] { $count } moved.
}
js-name = Name
js-new-folder = New folder
js-new-name = New name
js-next = Next
js-no-folders = No folders in here.
js-not-readable = the file can no longer be read here; choose it again
js-of = { $at } of { $all }
js-only-start = Only the start is shown. Get the file to see all of it.
js-or-drop = Or drop files and folders anywhere on this page.
js-password = Password
js-pause = Pause
js-pause-all = Pause all
js-pick-files = Files…
js-pick-folder = A folder…
js-previous = Previous
js-progress = How much was sent
js-reconnecting = The server does not answer. Reconnecting…
js-retry = Try again
js-root = Drawer
js-restored = { $n ->
    [one] Brought back.
   *[other] { $count } brought back.
}
js-rows = { $n ->
    [one] { $count } item shown
   *[other] { $count } items shown
}
js-select-all = Select all
js-sending = What is being sent
js-sending-of = Sending: { $done } of { $all }
js-sent = { $n ->
    [one] Sent
   *[other] { $count } sent
}
js-sent-as = sent as { $name }
js-sent-but = { $done } sent, { $failed } failed
js-sign-in = Sign in
js-sign-in-again = The sign-in has ended. Nothing is lost: sign in and continue.
js-state-asking = the name is taken
js-state-forgotten = was not finished: choose it again to continue
js-state-lost = waiting for the server
js-state-paused = paused
js-state-skipped = skipped
js-state-waiting = waiting
js-taken = This name is taken
js-taken-keep = Keep both
js-taken-many = { $n ->
    [one] Something has this name already:
   *[other] { $count } names are taken:
}
js-taken-replace = Replace
js-taken-skip = Skip
js-taken-what = What to do, here and with all that came along?
js-too-many = That is too much at once. Take the folder as a whole, or fewer things.
js-undo = Undo
js-unfinished = { $n ->
    [one] One file was not finished
   *[other] { $count } files were not finished
}

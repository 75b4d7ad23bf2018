# Shares, tokens and the audit log: pages, verbs and what they say.

# The page of a link
share-page-get = Download
share-page-until = Available until { $time }
share-page-empty = The folder is empty.
share-page-more = More
share-page-up = Up
share-page-locked = This link asks for a password
share-page-wrong = That is not the password of this link
share-page-again = Open the link again and type the password; the name can stay empty.
share-page-gone = This link leads nowhere
share-page-gone-what = It has ended, or what it led to is gone. Ask whoever sent it for a new one.
share-page-refused = This link does not allow that
share-page-refused-what = It may have been used as often as it was meant to be. Ask whoever sent it.
share-page-drop = Send files
share-page-drop-what = What you send reaches whoever made this link. Nothing that is already in the folder shows here, and nothing is replaced.
share-page-choose = Files:
share-page-send = Send
share-page-received = { $count ->
    [one] 1 file received ({ $size }):
   *[other] { $count } files received ({ $size }):
}

# Verbs
verb-share = Make a link for somebody without an account to get or drop files
verb-token = Make, list and revoke tokens, by which programs sign in without a password
verb-audit = Show who did what on a server
shell-usage-share = [NAME]
shell-usage-token = add|list|remove
arg-token-file = File whose first line is a token (or set GAVETA_TOKEN)
arg-share-path = What to share (on this machine, ./folder/name, while no server runs)
arg-share-expires = How long the link is good: 7d, 12h, 90m
arg-share-password = Ask whoever opens the link for a password
arg-share-limit = At most so many downloads, or files dropped
arg-share-drop = Whoever has the link drops files into the folder, without seeing what lies there
arg-share-list = List the links that are good
arg-share-end = End the link of this id (repeat for more)
arg-token-doing = add, list or remove
arg-token-words = The server (or, while none runs, the folder: ./folder), and the name of the token
arg-token-scope = Only this of the account (repeat for more): /docs=viewer, /in=create
arg-token-expires = How long the token is good: 30d, 12h
arg-token-account = Of which account; one's own, when left out
arg-audit-server = The server, or on this machine the folder (./folder) or the log itself
arg-audit-since = Since when: 2h, 7d or 2026-11-23T10:00:00Z
arg-audit-account = Only of this account
arg-audit-path = Only of this path and beneath
arg-audit-operation = Only this operation: read, commit, remove, rename, sign-in…
arg-audit-failed = Only what did not succeed
arg-audit-follow = Go on with what happens, until Ctrl-C
help-serve-audit = File of the audit log, or off for none (in the state folder, when left out)
help-serve-audit-keep = How much of the audit log is kept

# What they say
share-none = No link is good now.
share-ended = Link ended: { $id }
share-once = Whoever has the link gets in. It is not shown again; to end it: share --end ID
share-ask-password = Password of the link:
share-ask-its-password = Password of this link to { $server }:
share-wants-password = This link wants a password: give --password-file FILE, or type it on a terminal.
share-way-get = get
share-way-drop = drop
share-has-password = with a password
token-once = Keep the token now: it is not shown again.
token-none = There are no tokens.
token-removed = Token revoked: { $name }
token-which = There is not exactly one token "{ $name }"; use the id of the list.
token-words = Say: token add SERVER NAME, token list SERVER or token remove SERVER NAME; without a server, the folder (./folder) in its place
serve-audit-beneath = The audit log { $path } lies within the served folder { $folder }: choose another place with --audit
value-actions = ACTIONS
value-word = WORD
offline-no-folder = --state-dir and --config are for a folder of this machine: say the folder that is served (./folder)
offline-no-log = There is no audit log at { $path }
offline-never-served = { $path } lies in no folder that was ever served from this machine
offline-state = The state of the server cannot be read: { $reason }
offline-server-runs = A server has { $folder } open: ask it instead ({ $servers })
share-no-server = No server runs: put its address before the link, such as https://server

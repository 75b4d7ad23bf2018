# The track of the shell: what was added to it after its first draft.

shell-usage-mirror = [--get] FOLDER [TARGET]
arg-mirror-get = From the server to here; without it from here to the server
client-mirror-get = --get is for a mirror from a server to here
shell-mirror-name = say where the mirror is to be
shell-uploads-here = in the shell the uploads are those of this server: name no other

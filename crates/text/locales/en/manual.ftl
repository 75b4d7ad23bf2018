# The manual, and what shells complete.

help-completions = Print what a shell needs to complete commands and options
help-man = Print the manual page, or write all of them into a folder
arg-completions-shell = bash, zsh, fish, elvish or powershell
arg-man-folder = Write one page for each command here, such as gaveta.1 and gaveta-list.1
man-name = NAME
man-synopsis = SYNOPSIS
man-description = DESCRIPTION
man-more = SEE ALSO
man-version = VERSION
man-default = default:
man-not-written = { $name } could not be written: { $why }

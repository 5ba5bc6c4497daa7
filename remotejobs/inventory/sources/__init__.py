"""What was named as inventory, and which files that is: directories, files of either form, lists, programs."""

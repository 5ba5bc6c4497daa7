"""The shell texts of each kind of item, and the restore test of databases."""

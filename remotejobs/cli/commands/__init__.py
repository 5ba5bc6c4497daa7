"""The subcommands of `remotejobs`, one a file."""

"""The command `remotejobs`: one module for each of its subcommands."""

from remotejobs.cli.main import main

__all__ = ["main"]

"""`remotejobs completion SHELL`: what a shell reads to complete our command lines."""

from __future__ import annotations

import sys
from argparse import Namespace

from remotejobs.cli import exit_codes
from remotejobs.cli.parser import Commands, Parser

_PURPOSE = "print what a shell reads to complete commands and options"
_EPILOG = """  bash: remotejobs completion bash >~/.local/share/bash-completion/completions/remotejobs
  zsh:  remotejobs completion zsh >DIR/_remotejobs, with DIR in $fpath
  fish: remotejobs completion fish >~/.config/fish/completions/remotejobs.fish"""


def add(commands: Commands[Parser]) -> None:
    from argparse import RawDescriptionHelpFormatter

    parser = commands.add_parser(
        "completion",
        help=_PURPOSE,
        description=f"{_PURPOSE.capitalize()}.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")
    parser.set_defaults(execute=execute, parser=parser)


def execute(args: Namespace) -> int:
    from remotejobs.cli.completion import script_for
    from remotejobs.cli.described import commands_of
    from remotejobs.cli.main import build_parser

    sys.stdout.write(script_for(args.shell, commands_of(build_parser())))
    return exit_codes.OK

"""From the words of the command line to a subcommand, and from what came of it to an exit code."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module

from remotejobs.cli import exit_codes
from remotejobs.cli.parser import Parser
from remotejobs.errors import RemoteJobsError, UsageError
from remotejobs.text import visible

# In the order of --help. The module of a command has its name, save where that is a word of Python.
COMMANDS = (
    "run", "status", "wait", "watch", "log", "kill", "list", "clean", "hosts", "inventory", "push", "pull", "backups",
    "lock", "web", "init", "completion", "manual",
)  # fmt: skip
EPILOG = """Exit: 0 all succeeded, 1 bad use, 2 a job did not succeed, 4 a host was unreachable; the highest wins.
Each command has its own --help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code. Ctrl-C and a closed pipe end the process right here."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # whatever the locale, what a host wrote can be shown
            stream.reconfigure(errors="backslashreplace")
    try:
        args = parse(sys.argv[1:] if argv is None else argv)
        code: int = args.execute(args)
        sys.stdout.flush()
    except RemoteJobsError as exc:
        sys.stderr.write(f"error: {visible(str(exc))}\n")
        return exit_codes.of_error(exc)
    except KeyboardInterrupt:
        exit_codes.leave(exit_codes.INTERRUPTED)
    except BrokenPipeError:
        exit_codes.leave(exit_codes.BROKEN_PIPE)
    return code


def parse(argv: Sequence[str]) -> Namespace:
    """The words after the first `--` are the command to run; all before it are ours."""
    words = [*argv]
    cut = words.index("--") if "--" in words else len(words)
    command = words[0] if words and words[0] in COMMANDS else ""
    args, left_over = build_parser(command).parse_known_args(words[:cut])
    args.words = words[cut + 1 :]
    if command == "watch" and not args.jobs and len(left_over) == 1 and not left_over[0].startswith("-"):
        args.jobs = left_over.pop()  # behind an option, argparse leaves a word that may be missing unassigned
    if left_over:
        forgotten = command == "run" and cut == len(words) and not left_over[0].startswith("-")
        args.parser.error(_with_dashes(words, left_over) if forgotten else f"unknown: {shlex.join(left_over)}")
    if args.words and command != "run":
        args.parser.error("only run takes a command after --")
    return args


def _with_dashes(words: Sequence[str], command: Sequence[str]) -> str:
    """What was meant: argparse left over the words of the command, the last of their kind each."""
    ours = list(reversed(words))
    for word in reversed(command):
        ours.remove(word)
    return f"write the command after --: {shlex.join(['remotejobs', *reversed(ours), '--', *command])}"


def build_parser(command: str = "") -> Parser:
    """The parser of one command, or of all: what the others need takes longer to import than some commands to run."""
    parser = Parser(
        prog="remotejobs",
        description="Long jobs on remote hosts: started detached, watched, found again, killed with proof.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.set_defaults(execute=_without_command, parser=parser)
    commands = parser.add_subparsers(metavar="COMMAND")
    for name in [command] if command else COMMANDS:
        import_module(f"remotejobs.cli.commands.{'list_jobs' if name == 'list' else name}").add(commands)
    return parser


def _without_command(args: Namespace) -> int:
    if not args.version:
        raise UsageError("no command is named", remedy="`remotejobs --help` lists them.")
    from importlib.metadata import version  # reads the installed package: for this option alone

    sys.stdout.write(f"remotejobs {version('remotejobs')}\n")
    return exit_codes.OK

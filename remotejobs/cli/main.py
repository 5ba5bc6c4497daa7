"""From the words of the command line to a subcommand, and from what came of it to an exit code."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence

from remotejobs.cli import clean, exits, hosts, kill, list_jobs, log, pull, push, run, status, wait, watch
from remotejobs.cli.parser import Parser
from remotejobs.display.text import visible
from remotejobs.errors import BadUse, RemoteJobsError

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
        return exits.of_error(exc)
    except KeyboardInterrupt:
        exits.leave(exits.INTERRUPTED)
    except BrokenPipeError:
        exits.leave(exits.BROKEN_PIPE)
    return code


def parse(argv: Sequence[str]) -> Namespace:
    """The words after the first `--` are the command to run; all before it are ours."""
    words = [*argv]
    cut = words.index("--") if "--" in words else len(words)
    args, left_over = build_parser().parse_known_args(words[:cut])
    args.words = words[cut + 1 :]
    if args.execute is watch.execute and not args.jobs and len(left_over) == 1 and not left_over[0].startswith("-"):
        args.jobs = left_over.pop()  # behind an option, argparse gives a word that may be missing to nobody
    if left_over:
        forgotten = args.execute is run.execute and cut == len(words) and not left_over[0].startswith("-")
        args.parser.error(_with_dashes(words, left_over) if forgotten else f"unknown: {shlex.join(left_over)}")
    if args.words and args.execute is not run.execute:
        args.parser.error("only run takes a command after --")
    return args


def _with_dashes(words: Sequence[str], command: Sequence[str]) -> str:
    """What was meant: argparse left over the words of the command, the last of their kind each."""
    ours = list(reversed(words))
    for word in reversed(command):
        ours.remove(word)
    return f"write the command after --: {shlex.join(['remotejobs', *reversed(ours), '--', *command])}"


def build_parser() -> Parser:
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
    for module in (run, status, wait, watch, log, kill, list_jobs, clean, hosts, push, pull):
        module.add(commands)
    return parser


def _without_command(args: Namespace) -> int:
    if not args.version:
        raise BadUse("no command is named", remedy="`remotejobs --help` lists them.")
    from importlib.metadata import version  # reads the installed package: for this option alone

    sys.stdout.write(f"remotejobs {version('remotejobs')}\n")
    return exits.OK

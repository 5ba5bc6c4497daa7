"""Words of the command line that the subcommands share."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from remotejobs.cli.exit_codes import USAGE_ERROR
from remotejobs.cli.inventories import add_inventories

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([KMG]?)")
_BYTES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}

Commands = argparse._SubParsersAction  # argparse has no public name for what add_subparsers returns


class Parser(argparse.ArgumentParser):
    """argparse, but bad use ends with 1: its own 2 means here that a job did not succeed."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.format_usage()}error: {message}\n")


def seconds(text: str) -> float:
    """90, 90s, 30m, 12h, 1d, 2w as seconds."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write seconds, or 90s, 30m, 12h, 1d, 2w")
    return float(match[1]) * _SECONDS[match[2]]


def timeout(text: str) -> int:
    """A timeout: a whole number of seconds from 1 on."""
    if (value := math.ceil(seconds(text))) < 1:
        raise argparse.ArgumentTypeError("a timeout is at least one second; leave it out for none")
    return value


def poll(text: str) -> float:
    """A poll interval: 0, or at least a second."""
    if 0 < (value := seconds(text)) < 1:
        raise argparse.ArgumentTypeError("poll every second at most, or give 0 not to wait at all")
    return value


def count(text: str) -> int:
    """A whole number from 0 on."""
    if not re.fullmatch(r"\d{1,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def at_least_one(text: str) -> int:
    if (value := count(text)) < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return value


def rate(text: str) -> int:
    """500K, 20M, 1G as bytes a second."""
    match = _RATE.fullmatch(text)
    if not match or not (value := int(float(match[1]) * _BYTES[match[2]])):
        raise argparse.ArgumentTypeError(f"{text!r} is no rate; write bytes a second: 500K, 20M, 1G")
    return value


def setting(text: str) -> tuple[str, str]:
    """NAME=VALUE as a pair."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


class _OldOption(argparse.Action):
    """An option's old name, which the help does not show: it does what the new one does, and warns."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, new: argparse.Action, **settings: Any) -> None:
        super().__init__(option_strings, dest, **settings)
        self._new = new

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        new = self._new.option_strings[-1]
        print(f"warning: {option} is now called {new}; the old name goes with the next release", file=sys.stderr)
        self._new(parser, namespace, values, option)


def accept_old(parser: Parser, old: str, new: argparse.Action) -> None:
    """Accept the option `old` for one release: it is called `new` now."""
    settings: dict[str, Any] = {"new": new, "dest": new.dest, "type": new.type, "metavar": new.metavar}
    parser.add_argument(old, action=_OldOption, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **settings)


def add_command(
    commands: Commands[Parser],
    name: str,
    execute: Callable[[argparse.Namespace], int],
    *,
    purpose: str,
    usage: str | None = None,
    reports: bool = True,
    details: bool = True,
) -> Parser:
    """A subcommand with what all of them take: a pattern, and how to find and reach its hosts.

    One that `reports` can do so in JSON, and where it knows `details`, in more words.
    """
    parser = commands.add_parser(
        name,
        help=purpose,
        description=purpose[0].upper() + purpose[1:] + ".",
        usage=usage,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(execute=execute, parser=parser)
    parser.add_argument(
        "pattern", metavar="PATTERN", help="hosts, in Ansible's words: all, 'db*', web:!web3, ~web[0-9]+"
    )
    add_inventories(parser)
    parser.add_argument("-l", "--limit", metavar="PATTERN", default="", help="of the pattern's hosts only these")
    parser.add_argument(
        "-u", "--user", metavar="USER", default="", help="log in as this user, also where the inventory names another"
    )
    if reports and details:
        parser.add_argument("-v", "--verbose", action="store_true", help="show all that is known")
    if reports:
        parser.add_argument("--json", action="store_true", help="print one JSON object a line, and nothing else")
    return parser


def add_reach(parser: Parser) -> None:
    """How many hosts to ask at a time, and which user to become."""
    parser.add_argument(
        "-f", "--forks", metavar="N", type=at_least_one, help="ask so many hosts at a time (default 50)"
    )
    parser.add_argument("-k", "--ask-pass", action="store_true", help="ask for the password of the SSH login")
    parser.add_argument("-b", "--become", action="store_true", help="become another user by sudo (default root)")
    parser.add_argument("--become-user", metavar="USER", default="", help="become this user; says --become as well")
    parser.add_argument("-K", "--ask-become-pass", action="store_true", help="ask for sudo's password")


def add_rate(parser: Parser) -> None:
    parser.add_argument(
        "--rate", metavar="BYTES", type=rate, default=0, help="bytes a second for all hosts together: 500K, 20M"
    )


def add_jid(parser: Parser) -> None:
    parser.add_argument("jid", metavar="JID", help="the job's id, as `run` printed it and `list` shows it")


def add_results(parser: Parser) -> None:
    """How what came of many hosts is shown and kept."""
    parser.add_argument(
        "--fold",
        action="store_true",
        help="at the end, show hosts that ended alike together: web[1-150]",
    )
    parser.add_argument(
        "--tree", metavar="DIR", type=Path, help="keep what came of each host in a file of its name there, as JSON"
    )


def add_poll(parser: Parser, *, zero: str = "") -> None:
    from remotejobs.jobs.wait import DEFAULT_POLL  # with all that talks to hosts, which not every command does

    text = f"poll every so many seconds (default {DEFAULT_POLL:g}); an end is seen at once{zero}"
    parser.add_argument("-P", "--poll", metavar="SECONDS", type=poll, default=DEFAULT_POLL, help=text)

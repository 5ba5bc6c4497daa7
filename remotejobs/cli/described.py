"""The command line as data: every command with its options, for what completes or describes it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from remotejobs.cli.parser import Parser


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `value` is what it takes: "" for nothing; `choices` are all values there are."""

    names: tuple[str, ...]
    help: str
    value: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A command by its words, such as `backups list`; `arguments` are the words that it takes beside options."""

    words: str
    purpose: str
    parser: Parser
    options: tuple[Option, ...]
    arguments: tuple[Option, ...]


def commands_of(parser: Parser) -> list[Command]:
    """Every command that runs something, in the order of --help."""
    return list(_below(parser, ""))


def _below(parser: Any, words: str) -> Iterator[Command]:
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        purposes = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for name, below in action.choices.items():
            found = f"{words} {name}".strip()
            deeper = list(_below(below, found))
            yield from deeper or [_command(found, purposes.get(name, ""), below)]


def _command(words: str, purpose: str, parser: Parser) -> Command:
    actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    options = tuple(_option(action) for action in actions if action.option_strings)
    arguments = tuple(_option(action) for action in actions if not action.option_strings)
    return Command(words, purpose, parser, options, arguments)


def _option(action: argparse.Action) -> Option:
    takes = action.nargs != 0
    names = tuple(action.option_strings) or (str(action.metavar or action.dest),)
    choices = tuple(str(choice) for choice in action.choices or ())
    value = str(action.metavar or "|".join(choices) or action.dest.upper()) if takes else ""
    return Option(names, " ".join((action.help or "").replace("%%", "%").split()), value, choices)

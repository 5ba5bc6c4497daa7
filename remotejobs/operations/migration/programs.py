"""What can be known of a command before it runs: its first program, and the file that this is to read. Pure.

Only what stands there literally is known. A word that the shell would still change is left alone.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import pairwise

_LITERAL = re.compile(r"[A-Za-z0-9_@%+:,./-]+|~/[A-Za-z0-9_@%+:,./-]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=[^$`()]*")
_INTERPRETERS = re.compile(r"(?:.*/)?(?:sh|dash|bash|ksh|mksh|perl|ruby|node|php|python3?(?:\.\d+)?)")
_NOTHING = re.compile(r"#|set [-+][a-z]+$")


@dataclass(frozen=True, slots=True)
class FirstWords:
    """The program of a command's first line, and the file that it reads; "" where that is not known."""

    program: str = ""
    file: str = ""


def first_words(cmd: str) -> FirstWords:
    """Of `PGHOST=x psql -f up.sql && …` psql and up.sql. Lines of comments and of `set -e` come before the first."""
    lines = [line for line in (line.strip() for line in cmd.splitlines()) if line and not _NOTHING.match(line)]
    if not lines or lines[0].endswith("\\"):
        return FirstWords()
    try:
        lexer = shlex.shlex(lines[0], posix=False, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # a quotation that goes on in the next line
        words = lines[0].split()
    simple: list[str] = []
    for word in words:
        if re.fullmatch(r"[;&|<>()]+", word):
            if "(" in word and len(simple) < 2:  # a function's definition
                return FirstWords()
            break
        simple.append(word)
    while simple and _ASSIGNMENT.fullmatch(simple[0]):
        if simple.pop(0).startswith("PATH="):
            return FirstWords()
    if not simple or not _LITERAL.fullmatch(simple[0]):
        return FirstWords()
    return FirstWords(simple[0], _file(simple[0], simple[1:]))


def _file(program: str, words: list[str]) -> str:
    found = ""
    if program == ".":
        found = words[0] if words else ""
    elif _INTERPRETERS.fullmatch(program):
        # After an option it is not known what the next word is.
        found = words[0] if words and not words[0].startswith("-") else ""
    elif program.rpartition("/")[2] == "psql":
        found = next((after for word, after in pairwise(words) if word in ("-f", "--file")), "")
    if found == "-":
        return ""
    return found if _LITERAL.fullmatch(found) and (program != "." or "/" in found) else ""

"""The words of a line of ssh_config, for those forms that every OpenSSH reads alike."""

from __future__ import annotations

import re

_LINE = re.compile(r"[ \t]*(?P<keyword>[A-Za-z0-9]+)(?:[ \t]*=[ \t]*|[ \t]+)(?P<rest>[^ \t=].*)")
_WORD = re.compile(r'[ \t]*(?:"(?P<quoted>[^"]*)"|(?P<bare>[^ \t"#][^ \t"]*))(?=[ \t]|$)')
_STRANGE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff\\']")


class NotPlain(Exception):
    """A form that this reader does not fully know. Only OpenSSH can say what it means."""


def parse_line(line: str) -> tuple[str, str] | None:
    """The keyword in lower case and the rest as it stands; None for a comment or an empty line."""
    line = line.rstrip(" \t\r\n\f")
    if not line.strip(" \t") or line.lstrip(" \t").startswith("#"):
        return None
    match = _LINE.fullmatch(line)
    if match is None:
        raise NotPlain("a line that is not of the form Keyword value")
    return match["keyword"].lower(), match["rest"]


def split_words(rest: str) -> tuple[tuple[str, ...], bool]:
    """The words, without their quotation marks, and whether a comment follows them (which OpenSSH before 8.7 reads)."""
    if _STRANGE.search(rest):
        raise NotPlain("a backslash, an apostrophe or a control character")
    words: list[str] = []
    at = 0
    while at < len(rest):
        match = _WORD.match(rest, at)
        if match is None:
            if rest[at:].lstrip(" \t").startswith("#"):
                return tuple(words), True
            if not rest[at:].strip(" \t"):
                break
            raise NotPlain("quotation marks within a word")
        words.append(match["bare"] if match["quoted"] is None else match["quoted"])
        at = match.end()
    if not all(words):
        raise NotPlain("an empty word")
    return tuple(words), False

"""Host names as they are written: with a port behind (`db1:2222`) and ranges inside (`web[01:20]`)."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

MOST_NAMES = 100_000  # more than this from one name is a typing error that would only fill the memory

_RANGE = re.compile(r"\[([^\[\]]*)\]")
_BRACKETED_PORT = re.compile(r"\[(.+)\]:([0-9]+)")
_PORT = re.compile(r"((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)")
_VALID_RANGE = r"\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]"
_LABEL = rf"(?:\w|{_VALID_RANGE})(?:[\w-]|{_VALID_RANGE})*(?<![_-])"
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_HEX_RANGE = re.compile(r"\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]", re.IGNORECASE)


class BadName(ValueError):
    """A host name that cannot be expanded; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host name, possibly with ranges, and the port behind it."""

    host: str
    port: int | None


def parse_address(text: str) -> Address | None:
    """Split a host name or IP address from its port; None when it is neither (a glob, two names, ...)."""
    match = _BRACKETED_PORT.fullmatch(text) or _PORT.fullmatch(text)
    host, port = (match[1], int(match[2])) if match else (text, None)
    return Address(host, port) if _HOSTNAME.fullmatch(host) or _is_ipv6(host) else None


def expand(text: str) -> tuple[tuple[str, ...], int | None]:
    """All host names that `text` stands for, and their port. Raises `BadName`."""
    address = parse_address(text) or Address(text, None)
    return tuple(_expand(address.host)), address.port


def _expand(text: str) -> list[str]:
    """The first range varies slowest, so `a[1:2]b[1:2]` is a1b1, a1b2, a2b1, a2b2."""
    names = [""]
    position = 0
    for match in _RANGE.finditer(text):
        words = _words(match[1], text)
        if len(names) * len(words) > MOST_NAMES:
            raise BadName(f"{text!r} stands for more than {MOST_NAMES} hosts")
        between = text[position : match.start()]
        names = [f"{name}{between}{word}" for name in names for word in words]
        position = match.end()
    rest = text[position:]
    if "[" in rest or "[" in _RANGE.sub("", text):
        raise BadName(f"{text!r} has a [ without its ]")
    return [name + rest for name in names]


def _words(bounds: str, text: str) -> list[str]:
    parts = bounds.split(":")
    if len(parts) not in (2, 3) or not parts[1]:
        raise BadName(f"[{bounds}] in {text!r} is no range: write [begin:end] or [begin:end:step]")
    begin, end = parts[0] or "0", parts[1]
    step = parts[2] if len(parts) == 3 else "1"
    if not _is_number(step) or int(step) == 0:
        raise BadName(f"the step of [{bounds}] in {text!r} must be a number above zero")
    words = _letters(begin, end, int(step)) if _is_letter(begin) and _is_letter(end) else None
    if words is None and _is_number(begin) and _is_number(end):
        words = _numbers(begin, end, int(step), text)
    if not words:
        raise BadName(f"the range [{bounds}] in {text!r} must go up, from number to number or letter to letter")
    return words


def _letters(begin: str, end: str, step: int) -> list[str]:
    alphabet = string.ascii_letters
    return list(alphabet[alphabet.index(begin) : alphabet.index(end) + 1 : step])


def _numbers(begin: str, end: str, step: int, text: str) -> list[str]:
    width = len(begin) if begin.startswith("0") and len(begin) > 1 else 0
    if width and width != len(end):
        raise BadName(f"the range [{begin}:{end}] in {text!r} must have as many digits at its end as at its beginning")
    numbers = range(int(begin), int(end) + 1, step)
    if len(numbers) > MOST_NAMES:
        raise BadName(f"{text!r} stands for more than {MOST_NAMES} hosts")
    return [str(number).zfill(width) for number in numbers]


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 19


def _is_letter(word: str) -> bool:
    return len(word) == 1 and word in string.ascii_letters


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(_HEX_RANGE.sub("1", text))
    except AddressValueError:
        return False
    return "%" not in text

"""A terminal as far as our own output needs one: what stands on its screen, and in which colour, after each byte."""

from __future__ import annotations

import re
from dataclasses import dataclass

COLUMNS, ROWS = 96, 24
_CONTROL = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|\x1b.")


@dataclass(frozen=True, slots=True)
class Span:
    """Text in one style: `colour` is 31 to 36 or 0, `faint` and `strong` as SGR has them."""

    text: str
    colour: int = 0
    strong: bool = False
    faint: bool = False


Screen = tuple[tuple[Span, ...], ...]


class Terminal:
    """`write` what a program wrote; `screen` are the lines that are seen then."""

    def __init__(self) -> None:
        self._lines: list[list[Span]] = [[]]  # a span for each character
        self._row = self._column = 0
        self._style = Span("")

    def write(self, text: str) -> None:
        at = 0
        while at < len(text):
            if match := _CONTROL.match(text, at):
                self._obey(match[1] or "", match[2] or "")
                at = match.end()
            else:
                self._put(text[at])
                at += 1

    def screen(self) -> Screen:
        last = self._lines[-ROWS:] if self._lines[-1] else self._lines[-ROWS - 1 : -1]
        return tuple(tuple(_joined(line)) for line in last)

    def _put(self, char: str) -> None:
        if char == "\n":
            self._row += 1
            while len(self._lines) <= self._row:
                self._lines.append([])
        elif char == "\r":
            self._column = 0
        elif char >= " ":
            if self._column >= COLUMNS:
                self._put("\n")
                self._column = 0
            line = self._lines[self._row]
            line += [Span(" ")] * (self._column + 1 - len(line))
            style = self._style
            line[self._column] = Span(char, style.colour, style.strong, style.faint)
            self._column += 1

    def _obey(self, arguments: str, command: str) -> None:
        numbers = [int(word) for word in arguments.split(";") if word.isdigit()]
        if command == "A":
            self._row = max(0, self._row - (numbers[0] if numbers else 1))
        elif command == "K":
            line = self._lines[self._row]
            line[:] = [] if numbers == [2] else line[: self._column]
        elif command == "m":
            for number in numbers or [0]:
                self._paint(number)

    def _paint(self, number: int) -> None:
        now = self._style
        if number == 0:
            self._style = Span("")
        elif number == 1:
            self._style = Span("", now.colour, True, now.faint)
        elif number == 2:
            self._style = Span("", now.colour, now.strong, True)
        elif 30 <= number <= 39:
            self._style = Span("", number % 39 and number, now.strong, now.faint)


def _joined(line: list[Span]) -> list[Span]:
    found: list[Span] = []
    for each in line:
        if found and (found[-1].colour, found[-1].strong, found[-1].faint) == (each.colour, each.strong, each.faint):
            found[-1] = Span(found[-1].text + each.text, each.colour, each.strong, each.faint)
        else:
            found.append(each)
    return found

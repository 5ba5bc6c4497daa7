"""Columns of a terminal that text takes: wide characters take two, accents of their own none."""

from __future__ import annotations


def width(text: str) -> int:
    """How many columns `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # which most output need not wait for

    return cell_len(text)


def padded(text: str, columns: int) -> str:
    """`text`, filled up to so many columns."""
    return text + " " * (columns - width(text))


def cut(text: str, columns: int) -> str:
    """`text` in at most so many columns; an ellipsis stands for what was cut."""
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return text + "…"

"""What a host said instead of an answer, in its own words: they alone say what is wrong there."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator

from remotejobs.text import decoded

NOTHING = "nothing"
LONGEST = 300  # characters of each stream

BROKEN_OFF = "the connection ended in the middle of an answer"

_HIDDEN = "***"
_SHORTEST = 4  # characters: what is shorter is no secret, but a part of many words


def words_of_host(script: bytes, secrets: Collection[str], *streams: bytes) -> str:
    """The end of each of the `streams` in one line; "" when they are empty.

    A login that is no shell may echo what it was sent. Its lines are left out where they are whole lines of `script`,
    and `secrets` are hidden wherever they stand, also where one was cut off at the beginning or the end of a stream.
    """
    ours = {line.strip() for line in script.splitlines()}
    said = []
    for stream in streams:
        lines = [line.strip() for line in stream.splitlines()]
        text = "; ".join(decoded(line) for line in lines if line and line not in ours)
        said.append(hidden(text, secrets)[-LONGEST:])
    return "; ".join(text for text in said if text)


def hidden(text: str, secrets: Collection[str]) -> str:
    """`text` with `***` in place of each of `secrets`."""
    for form in sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True):
        text = _without_ends(text.replace(form, _HIDDEN), form)
    return text


def _forms(secret: str) -> Iterator[str]:
    """Each line of it, as it is and as a shell reads it."""
    for text in (secret, shlex.quote(secret).strip("'")):
        yield from (line for each in text.splitlines() if len(line := each.strip()) >= _SHORTEST)


def _without_ends(text: str, form: str) -> str:
    """What came may begin or end in the middle of a secret."""
    for length in range(len(form) - 1, _SHORTEST - 1, -1):
        if text.startswith(form[-length:]):
            text = _HIDDEN + text[length:]
        if text.endswith(form[:length]):
            text = text[:-length] + _HIDDEN
    return text

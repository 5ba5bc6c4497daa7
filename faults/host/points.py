"""Named points of the agent, and a deed at one: in the text of one request, so that the product pays nothing.

A point is `FUNCTION:LINE`, the place before that line of that function (from 1) as it is sent; `adopt` is what perl
runs. Only such places count where a command may stand without changing what is around it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache

_HEAD = re.compile(r"(rj_\w+)\(\) \{(?: *#.*)?")
_GROUPS = re.compile(r"^\}\n\{\n(?=rj_\w+\(\))", re.MULTILINE)
_GOES_ON = ("\\", "&&", "||", "|")
_QUOTE = "'\"'\"'"  # one within the texts that a start hands to its reaper, as shlex.quote writes it
_ADOPTS = re.compile(r"(?<=^rj_adopts=').*?(?='$)", re.MULTILINE | re.DOTALL)
_NONSENSE = ") } esac ;;"  # no shell reads it as a command, unless it stands in quotes


class NoSuchPoint(LookupError):
    """The request has no such function, or no command may stand there."""


def points_of(script: bytes) -> tuple[str, ...]:
    """All points of a request, in order. Some may stand no command; `act_at` raises for them."""
    adopts = _ADOPTS.search(script.decode())
    bodies = [(function, body) for function, body, _ in _bodies(script)]
    bodies += [("adopt", tuple(adopts[0].split("\n")))] if adopts else []
    return tuple(f"{function}:{number}" for function, body in bodies for number in range(1, len(body) + 1))


def act_at(script: bytes, point: str, deed: str) -> bytes:
    """`script` with the shell command `deed` at `point`; the exit status before it is the one after it.

    Raises `NoSuchPoint`.
    """
    name, _, number = point.partition(":")
    if name == "adopt":
        return _in_perl(script.decode(), int(number) - 1, deed)
    for function, body, quoted in _bodies(script):
        at = int(number) - 1
        if function == name and _may_stand(tuple(line.replace(_QUOTE, "'") for line in body) if quoted else body, at):
            whole = "\n".join(body)
            done = _kept(deed).replace("'", _QUOTE) if quoted else _kept(deed)
            changed = "\n".join([*body[:at], done, *body[at:]])
            head = re.search(rf"^{name}\(\) \{{.*\n", script.decode(), re.MULTILINE)
            assert head, point
            before, after = script.decode()[: head.end()], script.decode()[head.end() :]
            return resized((before + changed + after[len(whole) :]).encode())
    raise NoSuchPoint(point)


def _in_perl(script: str, at: int, deed: str) -> bytes:
    """Where the shell that does it is killed, as a deed kills the one that it stands in, perl dies of it."""
    adopts = _ADOPTS.search(script)
    lines = adopts[0].split("\n") if adopts else []
    done = f'system("sh", "-c", pack "H*", "{_kept(deed).encode().hex()}") & 127 and kill KILL => $$;'
    changed = "\n".join([*lines[:at], done, *lines[at:]])
    if adopts is None or not 0 <= at < len(lines) or not _is_perl(changed.replace(_QUOTE, "'")):
        raise NoSuchPoint(f"adopt:{at + 1}")
    return resized((script[: adopts.start()] + changed + script[adopts.end() :]).encode())


@cache
def _is_perl(text: str) -> bool:
    return subprocess.run(["perl", "-c", "-e", text], capture_output=True, check=False).returncode == 0


def resized(script: bytes) -> bytes:
    """`script`, which was changed, with the length of what it reads at once."""
    head = re.search(rb"read -rN (\d+) .*?\n\}\n", script, re.DOTALL)
    if not head:
        return script
    return script[: head.start(1)] + str(len(script) - head.end()).encode() + script[head.end(1) :]


def _kept(deed: str) -> str:
    return f'{{ rj_was=$?; {deed}; (exit "$rj_was"); }}'


def _bodies(script: bytes) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Of each function of several lines: its name, its lines between head and closing brace, and if they are quoted."""
    # Each stands in a group of its own, with what a file says outside of functions behind it.
    quoted = False
    for group in _GROUPS.split(script.decode()):
        head, *lines = group.partition("\n}\n{\n")[0].split("\n")
        if (name := _HEAD.fullmatch(head)) and "}" in lines:
            yield name[1], tuple(lines[: len(lines) - 1 - lines[::-1].index("}")]), quoted
        quoted = any(f"\nrj_{name}='" in group for name in ("head", "rest", "over", "ends", "more")) or (
            quoted and "\nrj_adopts=" not in group
        )


@cache
def _may_stand(body: tuple[str, ...], at: int) -> bool:
    if not 0 <= at < len(body) or (at and body[at - 1].endswith(_GOES_ON)):
        return False
    # Whether a place stands in quotes, only a shell knows.
    return _is_read((*body[:at], ":", *body[at:])) and not _is_read((*body[:at], _NONSENSE, *body[at:]))


@cache
def _is_read(lines: tuple[str, ...]) -> bool:
    text = "\n".join(lines)
    return subprocess.run(["sh", "-n"], input=text.encode(), capture_output=True, check=False).returncode == 0

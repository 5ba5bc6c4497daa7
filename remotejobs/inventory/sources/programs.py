"""Inventory scripts: programs that print their hosts as JSON when they are run with --list."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.forms.json_form import parse_json, read_listing
from remotejobs.inventory.reading import Reading
from remotejobs.inventory.tree import Tree
from remotejobs.text import visible

SECONDS = 120.0  # for one run; a cloud's API may be slow, and one that never answers must not hold a flow for ever
_LAST_LINES = 5
_BY_HAND = "Run it by hand."
_BEGINNINGS = (b"#!", b"\x7fEL")


def is_program(path: Path) -> bool:
    """Whether it begins as a program does, with #! or as a binary; its reader then says why it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(3).startswith(_BEGINNINGS)
    except OSError:
        return False


def may_run(path: Path) -> bool:
    return os.access(path, os.X_OK)


def add_program(path: Path, tree: Tree, reading: Reading) -> None:
    """Run it, and add what it prints to the tree. `InventoryError` when it fails, with the last of what it said."""
    place = Place(str(path))
    if not may_run(path):
        raise InventoryError(
            "is a program, but may not be run", place=place, remedy="chmod +x makes it an inventory script."
        )
    program = str(path.absolute())
    data = parse_json(printed([program, "--list"], place), place)
    read_listing(data, place, path, tree, reading.secrets, partial(_variables, program, place))


def _variables(program: str, place: Place, host: str) -> Mapping[str, Any]:
    text = printed([program, "--host", host], place)
    found: Mapping[str, Any] = parse_json(text, place) if text.strip() else {}
    return found


def printed(
    words: Sequence[str], place: Place, environment: Mapping[str, str] | None = None, *, remedy: str = _BY_HAND
) -> str:
    """What the program prints. `InventoryError` when it cannot be run, fails, or takes too long."""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, env=environment, check=False
        )
    except OSError as exc:
        raise InventoryError(
            f"cannot be run ({exc.strerror})", place=place, remedy="Its first line names the program that runs it."
        ) from exc
    except subprocess.TimeoutExpired as exc:
        raise InventoryError(f"did not end within {SECONDS:g} s", place=place, remedy=_BY_HAND) from exc
    if done.returncode:
        said_lines = done.stderr.decode(errors="replace").splitlines()
        lines = [line for text in dict.fromkeys(said_lines) if (line := text.strip())][-_LAST_LINES:]
        said = f" and said: {visible(' / '.join(lines))}" if lines else " without a word"
        raise InventoryError(
            f"`{shlex.join([Path(words[0]).name, *words[1:]])}` ended with {done.returncode}{said}",
            place=place,
            remedy=remedy,
        )
    try:
        return done.stdout.decode()
    except UnicodeDecodeError:
        raise InventoryError("prints what is not UTF-8 text", place=place, remedy=_BY_HAND) from None

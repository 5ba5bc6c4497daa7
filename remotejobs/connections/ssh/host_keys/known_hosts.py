"""known_hosts files: found entries with their file and line, and new ones appended whole."""

from __future__ import annotations

import base64
import fcntl
import fnmatch
import hashlib
import hmac
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG

_MARKERS = ("", "@revoked", "@cert-authority")


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key as it travels: `kind` is its algorithm, `blob` its bytes."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen -l prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def line(self, name: str) -> str:
        """The line of a known_hosts file that makes this the key of `name`."""
        return f"{name} {self.kind} {base64.b64encode(self.blob).decode()}\n"


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One line of a known_hosts file; `names` is its first field as it stands."""

    names: str
    key: HostKey
    path: Path
    line: int
    revoked: bool = False
    authority: bool = False

    def is_for(self, name: str) -> bool:
        """Whether the line speaks of `name` (`host` or `[host]:port`): hashed, with wildcards or negated."""
        if self.names.startswith("|1|"):
            return _hashed_as(name, self.names)
        patterns = self.names.lower().split(",")
        if any(pattern.startswith("!") and _matches(name, pattern[1:]) for pattern in patterns):
            return False
        return any(_matches(name, pattern) for pattern in patterns)


def find(paths: Sequence[Path], name: str) -> tuple[KnownKey, ...]:
    """The entries of `name` in those of `paths` that exist, in their order; `OSError` for one that cannot be read."""
    return find_each(paths, name)[0]


def find_each(paths: Sequence[Path], *names: str) -> list[tuple[KnownKey, ...]]:
    """The same for several names; each file is looked at once."""
    indexes = [_index(path) for path in paths]
    return [tuple(entry for index in indexes for entry in index.find(name)) for name in names]


def parse(text: str, path: Path) -> Iterator[KnownKey]:
    """The entries of a file; lines that are not understood are passed over."""
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or marker not in _MARKERS:
            continue
        if (blob := parse_blob(fields[2])) is not None:
            yield KnownKey(
                fields[0],
                HostKey(fields[1], blob),
                path,
                number,
                revoked=marker == "@revoked",
                authority=marker == "@cert-authority",
            )


def parse_blob(word: str) -> bytes | None:
    """The bytes of a public key that is written in base64; None for anything else."""
    try:
        return base64.b64decode(word, validate=True)
    except ValueError:
        return None


def append(path: Path, name: str, key: HostKey, *, hashed: bool = False) -> None:
    """Add one line in one write, under a lock, unless it stands there already; `OSError` when it cannot be written.

    The name is `hashed` for HashKnownHosts.
    """
    line = key.line(_hash_of(name) if hashed else name).encode()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "rb+", buffering=0) as file:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        there = file.read() if path.is_file() else b""
        known = parse(there.decode("utf-8", "replace"), path)
        if not any(one.key == key and one.is_for(name) and not (one.revoked or one.authority) for one in known):
            file.write(line if there.endswith(b"\n") or not there else b"\n" + line)


@dataclass(frozen=True, slots=True)
class _Index:
    """The entries of one file: by plain name, and those that have to be compared one by one."""

    plain: dict[str, list[KnownKey]]
    others: list[KnownKey]

    def find(self, name: str) -> Iterator[KnownKey]:
        yield from self.plain.get(name, ())
        yield from (entry for entry in self.others if entry.is_for(name))


def _index(path: Path) -> _Index:
    try:
        state = path.stat()
    except FileNotFoundError:
        return _Index({}, [])
    return _read(path, state.st_mtime_ns, state.st_size) if S_ISREG(state.st_mode) else _Index({}, [])


@lru_cache(maxsize=16)
def _read(path: Path, _changed: int, _size: int) -> _Index:
    index = _Index({}, [])
    for entry in parse(path.read_text(errors="replace"), path):
        if any(sign in entry.names for sign in "|*?!"):
            index.others.append(entry)
        else:
            for name in set(entry.names.lower().split(",")):
                index.plain.setdefault(name, []).append(entry)
    return index


def _matches(name: str, pattern: str) -> bool:
    # `[` is part of `[host]:port` and no character class here.
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _hash_of(name: str) -> str:
    salt = os.urandom(20)
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _hashed_as(name: str, field: str) -> bool:
    try:
        _, _, salt, digest = field.split("|")
        made = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
        return hmac.compare_digest(made, base64.b64decode(digest))
    except ValueError:
        return False

"""ssh_config, read once a file and asked for each host."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from paramiko import SSHConfig
from paramiko.ssh_exception import ConfigParseError, CouldNotCanonicalize

from remotejobs.errors import BadUse
from remotejobs.ssh.arguments import Option

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
INCLUDE_DEPTH = 16

_INCLUDE = re.compile(r"\s*include(?:\s*=\s*|\s+)(.+)", re.IGNORECASE)
_FILES = re.compile(r'(\s*(?:user|global)knownhostsfile(?:\s*=\s*|\s+))(".*")\s*', re.IGNORECASE)
_SECTION = re.compile(r"\s*(host|match)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Settings:
    """What ssh_config and the command line say for one host; keywords in lower case."""

    values: Mapping[str, tuple[str, ...]]

    def get(self, key: str) -> str:
        return self.all(key)[0] if self.all(key) else ""

    def all(self, key: str) -> tuple[str, ...]:
        return self.values.get(key, ())


def lookup(name: str, options: tuple[Option, ...], config: str) -> Settings:
    """The settings for `name`: `options` first, then the file `config` ("": the user's and the system's; "none").

    `BadUse` names the file that cannot be read or understood.
    """
    where = config or "ssh_config"
    try:
        found = _parsed(_lines_of(options), _texts(config)).lookup(name)
    except (ConfigParseError, CouldNotCanonicalize, KeyError, ValueError, ImportError) as exc:
        raise BadUse(f"{where}, looked up for {name}: {exc}", remedy="Correct it.") from exc
    return Settings({key: _values(value) for key, value in found.items()})


def _values(value: object) -> tuple[str, ...]:
    """Several for IdentityFile, None for `ProxyCommand none`, one for the rest; the stubs know only the last."""
    if isinstance(value, list):
        return tuple(str(each) for each in value)
    return () if value is None else (str(value),)


def _lines_of(options: tuple[Option, ...]) -> tuple[str, ...]:
    """Quoted, because paramiko takes off one pair of quotation marks and nothing else."""
    return tuple(f'{option.key} "{option.value}"' for option in options)


@lru_cache(maxsize=64)
def _parsed(options: tuple[str, ...], texts: tuple[str, ...]) -> SSHConfig:
    parsed = SSHConfig()
    parsed.parse(options)
    for text in texts:
        parsed.parse(text.splitlines())
    return parsed


def _texts(config: str) -> tuple[str, ...]:
    if config.lower() == "none":
        return ()
    if config:
        return (_text(Path(config).expanduser()),)
    usual = (Path("~/.ssh/config").expanduser(), SYSTEM_CONFIG)
    return tuple(_text(path) for path in usual if path.exists())


def _text(path: Path) -> str:
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, UnicodeDecodeError) as exc:
        raise BadUse(f"{path} cannot be read: {exc}", remedy="Correct the file or its mode.") from exc


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int) -> str:
    base = path.parent if path == SYSTEM_CONFIG else Path("~/.ssh").expanduser()
    return "\n".join(_lines(path, base, 0))


def _lines(path: Path, base: Path, depth: int) -> Iterator[str]:
    """The lines of `path` with included files in their place, which paramiko does not know of."""
    if depth > INCLUDE_DEPTH:
        raise BadUse(f"{path}: Include goes deeper than {INCLUDE_DEPTH} files", remedy="Look for a circle.")
    section = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if _SECTION.match(line):
            section = line
        include = _INCLUDE.match(line)
        if include is None:
            # paramiko would take the quotation marks off the list as if it were one name.
            yield _FILES.sub(r'\1"\2"', line)
            continue
        for pattern in include[1].replace('"', "").split():
            for included in sorted(glob.glob(os.path.join(base, Path(pattern).expanduser()))):  # noqa: PTH207, PTH118
                yield from _included(Path(included), base, depth, section, f"{path}:{number}")
        yield section or "Host *"


def _included(path: Path, base: Path, depth: int, section: str, place: str) -> Iterator[str]:
    lines = list(_lines(path, base, depth + 1))
    if section and any(_SECTION.match(line) for line in lines):
        raise BadUse(
            f"{place}: includes {path}, which has Host or Match lines, inside a Host or Match",
            remedy="Move the Include to the top of the file.",
        )
    yield from lines

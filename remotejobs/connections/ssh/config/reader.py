"""Read ssh_config files into blocks, each file once as long as nothing changes."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from remotejobs.connections.ssh.config.blocks import Beyond, Block, BlockCondition, ConfigDocument, Criterion, Setting
from remotejobs.connections.ssh.config.keywords import ALIASES, read_value
from remotejobs.connections.ssh.config.patterns import matches_list
from remotejobs.connections.ssh.config.words import NotPlain, parse_line, split_words
from remotejobs.errors import UsageError

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
INCLUDE_DEPTH = 16

# What may part words, or surround them, in any version of OpenSSH.
_BREAKS = re.compile(r"[\s,=\"'\\]+")
_PATTERN = re.compile(r"!?[A-Za-z0-9._:*?@%-]+")
_PATTERNS = re.compile(r"!?[A-Za-z0-9._:*?@%-]+(,!?[A-Za-z0-9._:*?@%-]+)*")
_ALONE = frozenset(["canonical", "final"])
_WITH_PATTERNS = frozenset(["host", "localuser", "originalhost", "user"])
_INCLUDED = re.compile(r"[^\[\]{}%$\\]+")

_documents: dict[tuple[str, Path], tuple[ConfigDocument, dict[Path, object], dict[str, list[str]]]] = {}
_reading = threading.Lock()


def read(config: str, home: Path) -> ConfigDocument:
    """The file `config` with all that it includes; "" for the user's and the system's, `none` for nothing.

    `UsageError` names the file that cannot be read.
    """
    with _reading:
        kept = _documents.get((config, home))
        if kept is not None and _unchanged(kept[1], kept[2]):
            return kept[0]
        reader = _ConfigReader(home)
        for path, system, checked in _files(config, home):
            reader.read(path, (), _Inclusion(system, checked, 0))
        document = reader.document()
        _documents[config, home] = document, reader.states, reader.globs
        return document


def _files(config: str, home: Path) -> list[tuple[Path, bool, bool]]:
    """Path, whether it is the system's, and whether its owner and mode are checked."""
    if config.lower() == "none":
        return []
    if config:
        path = Path(config)
        if not path.is_file():
            raise UsageError(f"{path} cannot be read: there is no such file", remedy="Correct -F or create the file.")
        return [(path, False, False)]
    return [(home / ".ssh" / "config", False, True), (SYSTEM_CONFIG, True, False)]


def _unchanged(states: dict[Path, object], globs: dict[str, list[str]]) -> bool:
    return all(_state(path) == state for path, state in states.items()) and all(
        _glob(pattern) == found for pattern, found in globs.items()
    )


def _state(path: Path) -> object:
    try:
        found = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, for each file and host
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _glob(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern)) if any(sign in pattern for sign in "*?") else [pattern]  # noqa: PTH207


@dataclass(frozen=True, slots=True)
class _Inclusion:
    """How a file came to be read."""

    system: bool
    checked: bool
    depth: int


@dataclass
class _ConfigReader:
    """One reading of all files."""

    home: Path
    states: dict[Path, object] = field(default_factory=dict)
    globs: dict[str, list[str]] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    beyond: list[Beyond] = field(default_factory=list)
    commented: list[Beyond] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    criteria: set[str] = field(default_factory=set)
    candidates: dict[str, list[Setting]] = field(default_factory=dict)
    ignored: str = ""
    relative: str = ""
    contents: list[str] = field(default_factory=list)

    def document(self) -> ConfigDocument:
        digest = hashlib.sha256(repr(self.contents).encode("utf-8", "surrogateescape")).hexdigest()
        return ConfigDocument(
            blocks=tuple(self.blocks),
            beyond=tuple(self.beyond),
            commented=tuple(self.commented),
            patterns=frozenset(self.words),
            criteria=frozenset(self.criteria),
            keywords=frozenset(self.candidates),
            digest=digest,
            relative=self.relative,
            candidates={key: tuple(found) for key, found in self.candidates.items()},
        )

    def read(self, path: Path, outer: tuple[BlockCondition, ...], place: _Inclusion) -> None:
        """Add the blocks of `path`, which count under the conditions `outer`."""
        if place.depth > INCLUDE_DEPTH:
            raise UsageError(f"{path}: Include goes deeper than {INCLUDE_DEPTH} files", remedy="Look for a circle.")
        text = self._text(path, place)
        conditions, settings = outer, list[Setting]()
        for number, line in enumerate(text.split("\n"), 1):
            where = f"{path}:{number}"
            try:
                parsed = parse_line(line)
                if parsed is None:
                    continue
                key, rest = parsed
                if key in ("host", "match"):
                    self._end(conditions, settings)
                    settings = []
                    conditions = outer
                    conditions = (*outer, self._condition(key, rest, where))
                elif key == "include":
                    self._end(conditions, settings)
                    settings = []
                    self._include(rest, conditions, place, where)
                elif (setting := self._setting(key, rest, conditions, where)) is not None:
                    settings.append(setting)
            except NotPlain as exc:
                self.beyond.append(Beyond(where, str(exc)))
                self._note_words(line)
        self._end(conditions, settings)

    def _text(self, path: Path, place: _Inclusion) -> str:
        self.states[path] = _state(path)
        try:
            if place.checked:
                _check_owner(path)
            text = path.read_bytes().decode("utf-8", "surrogateescape")
        except (FileNotFoundError, IsADirectoryError):
            text = ""
        except OSError as exc:
            raise UsageError(f"{path} cannot be read: {exc.strerror}", remedy="Correct the file or its mode.") from exc
        self.contents += [str(path), text]
        return text

    def _end(self, conditions: tuple[BlockCondition, ...], settings: list[Setting]) -> None:
        if settings or conditions:
            self.blocks.append(Block(conditions, tuple(settings)))

    def _condition(self, key: str, rest: str, where: str) -> BlockCondition:
        words, comment = split_words(rest)
        if comment:
            self.commented.append(Beyond(where, "a comment after the values"))
        self._note_words(rest)
        if key == "host":
            if not all(map(_PATTERN.fullmatch, words)) or not words:
                raise NotPlain("a pattern of that form")
            return BlockCondition(patterns=words)
        return BlockCondition(criteria=tuple(self._criteria(words)))

    def _criteria(self, words: tuple[str, ...]) -> list[Criterion]:
        found: list[Criterion] = []
        rest = list(words)
        while rest:
            word = rest.pop(0).lower()
            negated, name = word.startswith("!"), word.removeprefix("!")
            if (
                name == "all"
                and not negated
                and not rest
                and all(one.name in _ALONE for one in found[:1])
                and len(found) < 2
            ):
                found.append(Criterion("all"))
            elif name in _ALONE:
                found.append(Criterion(name, negated=negated))
            elif name in _WITH_PATTERNS and rest and _PATTERNS.fullmatch(rest[0]):
                found.append(Criterion(name, rest.pop(0), negated))
            else:
                raise NotPlain(f"Match {word}")
        if not found:
            raise NotPlain("Match without a criterion")
        self.criteria |= {one.name for one in found}
        return found

    def _note_words(self, line: str) -> None:
        """Every word that may be a pattern or a criterion, however it is read."""
        words = [word.lstrip("!") for word in _BREAKS.split(line.replace("#", " ")) if word]
        self.words.update(words)
        self.criteria.update(word.lower() for word in words)

    def _setting(self, key: str, rest: str, conditions: tuple[BlockCondition, ...], where: str) -> Setting | None:
        key = ALIASES.get(key, key)
        self.candidates.setdefault(key, [])
        if key == "ignoreunknown":
            self._ignore_unknown(rest, conditions)
            return None
        try:
            values, comment = read_value(key, rest)
        except NotPlain:
            if self.ignored and not _is_known(key) and matches_list(key, self.ignored.lower()):
                return None
            self.candidates[key].append(Setting(key, (rest,), where))
            raise
        if comment:
            self.commented.append(Beyond(where, "a comment after the value"))
        setting = Setting(key, values, where)
        self.candidates[key].append(setting)
        return setting

    def _ignore_unknown(self, rest: str, conditions: tuple[BlockCondition, ...]) -> None:
        """The first counts, for the lines after it; where it counts for some hosts only, OpenSSH has to say."""
        words, comment = split_words(rest)
        if len(words) != 1 or comment or any(one.patterns != ("*",) for one in conditions):
            raise NotPlain("IgnoreUnknown for some hosts, or of that form")
        self.ignored = self.ignored or words[0]

    def _include(self, rest: str, conditions: tuple[BlockCondition, ...], place: _Inclusion, where: str) -> None:
        try:
            words, comment = split_words(rest)
        except NotPlain:
            self.candidates.setdefault("include", [])
            raise
        if comment:
            self.commented.append(Beyond(where, "a comment after the files"))
        for word in words:
            if not _INCLUDED.fullmatch(word) or (word.startswith("~") and (place.system or word[1:2] != "/")):
                self.candidates.setdefault("include", [])
                raise NotPlain(f"Include {word}")
        for word in words:
            path = f"{self.home}{word[1:]}" if word.startswith("~") else word
            if not path.startswith("/"):
                self.relative = self.relative or (where if place.system else "")
                path = os.path.join(SYSTEM_CONFIG.parent if place.system else self.home / ".ssh", path)  # noqa: PTH118
            found = _glob(path)
            self.globs[path] = found
            for one in found:
                self.read(Path(one), conditions, _Inclusion(place.system, checked=True, depth=place.depth + 1))


def _is_known(key: str) -> bool:
    try:
        read_value(key, "\x00")
    except NotPlain as exc:
        return str(exc) != f"the keyword {key}"
    return True


def _check_owner(path: Path) -> None:
    found = path.stat()
    if found.st_uid not in (0, os.getuid()) or found.st_mode & 0o022:
        raise UsageError(
            f"{path} can be written by others, or belongs to another user, and OpenSSH does not read it",
            remedy=f"Check what is in it, then: chmod go-w {path}",
        )

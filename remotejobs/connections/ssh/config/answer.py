"""The answer of `ssh -G`, read as settings with their tokens as they were written."""

from __future__ import annotations

import pwd
from collections.abc import Iterable
from dataclasses import dataclass

from remotejobs.connections.ssh.config.blocks import ConfigDocument, Setting
from remotejobs.connections.ssh.config.keywords import HONOURED, RAW
from remotejobs.connections.ssh.config.tokens import TokenValues, expand, host_name
from remotejobs.connections.ssh.config.words import NotPlain, split_words
from remotejobs.errors import UsageError

PLACE = "ssh -G"

# What ssh -G fills in before it prints. Files are parted by spaces, whether or not a name has one.
_FILLED = frozenset(["globalknownhostsfile", "identityagent", "revokedhostkeys", "userknownhostsfile"])
_OF_ONE_HOST = ("%h", "%n", "%k", "%C", "%j")


@dataclass(frozen=True, slots=True)
class QueriedSettings:
    """What the files say; whether that is the same `for_all` hosts for which the same lines count."""

    settings: tuple[Setting, ...]
    for_all: bool


def read_answer(
    said: str, defaults: str, document: ConfigDocument, name: str, local: pwd.struct_passwd
) -> QueriedSettings:
    """Read `said`; what it has in common with `defaults`, what ssh -G says of no file, is not set."""
    lines, usual = _lines(said), _lines(defaults)
    reading = _SettingsOrigin(document, name, lines, local)
    settings: list[Setting] = []
    for key, values in lines.items():
        if key == "hostname":
            settings += reading.host_name(values[0])
        elif key in _FILLED and values != usual.get(key):
            settings += reading.filled(key, values[0])
        elif key in HONOURED and values != usual.get(key):
            settings += [Setting(key, (value,), reading.place(key, value)) for value in values]
    return QueriedSettings(tuple(settings), reading.for_all)


def _lines(said: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in said.splitlines():
        key, _, value = line.partition(" ")
        key = key.lower()
        if key in HONOURED:
            found[key] = (*found.get(key, ()), _common_form(key, value))
    return found


def _common_form(key: str, value: str) -> str:
    try:
        return HONOURED[key]((value,))[0] if key not in RAW else value
    except NotPlain:
        return value


class _SettingsOrigin:
    """What was written in the files, found by what became of it."""

    def __init__(
        self, document: ConfigDocument, name: str, lines: dict[str, tuple[str, ...]], local: pwd.struct_passwd
    ) -> None:
        self.for_all = True
        self._document = document
        self._name = name
        alias = lines.get("hostkeyalias", ("",))[0].lower()
        self._names = TokenValues(
            asked=name,
            host=lines["hostname"][0],
            port=int(lines["port"][0]),
            user=lines["user"][0],
            alias=alias,
            home=local.pw_dir,
            local=local,
        )

    def host_name(self, value: str) -> list[Setting]:
        """The one HostName that gives this name, or none; otherwise the name itself, for this host only."""
        written = [("", "")] if host_name("", self._name) == value else []
        candidates = self._document.candidates.get("hostname", ())
        written += [(one.values[0], one.place) for one in candidates if host_name(one.values[0], self._name) == value]
        if len({raw for raw, _ in written}) == 1:
            raw, place = written[0]
            return [Setting("hostname", (raw,), place)] if raw else []
        self.for_all = False
        return [Setting("hostname", (value.replace("%", "%%"),), _places(place for _, place in written))]

    def filled(self, key: str, value: str) -> list[Setting]:
        """The one list of files that gives this text."""
        written: dict[tuple[str, ...], str] = {}
        for candidate in self._candidates(key):
            if " ".join(self._expanded(key, candidate.values)) == value:
                written.setdefault(candidate.values, candidate.place)
        if len(written) == 1:
            values, place = written.popitem()
            return [Setting(key, values, place)]
        candidates = self._candidates(key)
        doubtful = [one for one in candidates if any(" " in word for word in self._expanded(key, one.values))]
        if doubtful:
            raise UsageError(
                f"{doubtful[0].place}: OpenSSH does not say where the file names of {key} end",
                remedy="Leave out spaces.",
            )
        self.for_all = self.for_all and not any(
            sign in word for one in candidates for word in one.values for sign in _OF_ONE_HOST
        )
        return [Setting(key, tuple(word.replace("%", "%%") for word in value.split(" ")), PLACE)]

    def place(self, key: str, value: str) -> str:
        """The lines that say so, by which of them it may be."""
        return _places(one.place for one in self._document.candidates.get(key, ()) if value in one.values)

    def _candidates(self, key: str) -> list[Setting]:
        found = []
        for one in self._document.candidates.get(key, ()):
            try:
                words = one.values if len(one.values) > 1 else split_words(one.values[0])[0]
            except NotPlain:
                words = one.values
            found += [one, Setting(key, words, one.place)] if words != one.values else [one]
        return found

    def _expanded(self, key: str, words: Iterable[str]) -> list[str]:
        try:
            return [expand(word, self._names, key) for word in words]
        except UsageError:
            return []


def _places(places: Iterable[str]) -> str:
    found = dict.fromkeys(place for place in places if place)
    return " or ".join(found) or PLACE

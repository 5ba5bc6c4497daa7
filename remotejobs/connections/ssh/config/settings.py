"""What is set for one host, and where each setting came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from remotejobs.connections.ssh.config.blocks import Setting
from remotejobs.connections.ssh.config.keywords import ADDING


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Values by keyword in lower case, with their tokens (%h, ~, ${HOME}) as they were written."""

    values: Mapping[str, tuple[str, ...]]
    places: Mapping[str, tuple[str, ...]]

    def get(self, key: str) -> str:
        return self.all(key)[0] if self.all(key) else ""

    def all(self, key: str) -> tuple[str, ...]:
        return self.values.get(key, ())

    def says(self, key: str, *, default: bool) -> bool:
        """A yes or no."""
        return {"yes": True, "no": False}.get(self.get(key), default)


@dataclass(slots=True)
class Gathering:
    """Settings as they come: the first of a kind wins, files of keys add up."""

    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    places: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def take(self, settings: Iterable[Setting]) -> None:
        for setting in settings:
            key, values = setting.key, setting.values
            if key in ADDING:
                if values[0] not in self.values.get(key, ()):
                    self._put(key, (*self.values.get(key, ()), *values), (*self.places.get(key, ()), setting.place))
            elif key not in self.values and not self._has_way(key):
                self._put(key, values, (setting.place,))

    def _has_way(self, key: str) -> bool:
        """ProxyJump and ProxyCommand are one setting in two keywords: `none` of the one is none of the other."""
        return (key == "proxyjump" and "proxycommand" in self.values) or (
            key == "proxycommand" and "proxyjump" in self.values
        )

    def _put(self, key: str, values: tuple[str, ...], places: tuple[str, ...]) -> None:
        self.values[key], self.places[key] = values, places

    def settings(self) -> HostSettings:
        return HostSettings(self.values, self.places)

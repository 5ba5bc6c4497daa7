"""How a host was found in its load balancer: what an update must restore, whatever it does in between."""

from __future__ import annotations

import re
from dataclasses import dataclass

from remotejobs.text import one_line

READY = "ready"
_PLACE = re.compile(r"([^;=]*)=([^;=@]+)(?:@(\d{1,9}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """One server of one balancer. `state`: ready, or in the balancer's word why not. `weight` None: as configured."""

    name: str
    state: str
    weight: int | None = None

    @property
    def out(self) -> bool:
        """It gets no new requests."""
        return self.state != READY or self.weight == 0

    @property
    def words(self) -> str:
        """For people: `ready`, `maint`, `weight 0`."""
        if self.weight is None:
            return self.state
        return f"weight {self.weight}" if self.state == READY else f"{self.state}, weight {self.weight}"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one host stands in every place where it is a server. Its `text` is one word, kept in a note on the host."""

    places: tuple[Place, ...]

    @property
    def out(self) -> bool:
        """Whether it gets no new requests somewhere, though this update has not taken it out."""
        return any(place.out for place in self.places)

    @property
    def words(self) -> str:
        """For people; the places are named where they differ."""
        said = {place.words for place in self.places}
        if len(said) == 1:
            return said.pop()
        return ", ".join(f"{place.words} in {place.name}" for place in self.places)

    @property
    def text(self) -> str:
        return ";".join(
            f"{_word(place.name)}={_word(place.state)}" + ("" if place.weight is None else f"@{place.weight}")
            for place in self.places
        )

    def place(self, name: str) -> Place:
        """The place of that name; ready where it is not known, as for a server that was added meanwhile."""
        return next((place for place in self.places if place.name == name), Place(name, READY))


def standing_in(text: str) -> Standing | None:
    """What `Standing.text` was made of; None for "" and for what is no such text."""
    parts = [_PLACE.fullmatch(part) for part in text.split(";")]
    places = [Place(part[1], part[2], int(part[3]) if part[3] else None) for part in parts if part]
    return Standing(tuple(places)) if places and len(places) == len(parts) else None


def _word(name: str) -> str:
    return re.sub(r"[\s,;=@]+", "-", one_line(name))

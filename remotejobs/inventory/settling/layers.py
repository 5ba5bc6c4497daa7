"""Variables in layers, the later over the earlier; an encrypted one is opened when the first variable is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from remotejobs.inventory.errors import Place
from remotejobs.inventory.values import Raw


@dataclass(eq=False, slots=True)
class Locked:
    """An encrypted file of variables. `has_key`: a password is at hand, be it the right one or not."""

    place: Place
    has_key: bool
    _open: Callable[[], dict[str, Raw]] = field(repr=False)
    _variables: dict[str, Raw] | None = field(default=None, repr=False)

    def open(self) -> dict[str, Raw]:
        """Raises `InventoryError` when no password opens it."""
        if self._variables is None:
            self._variables = self._open()
        return self._variables

    def __reduce__(self) -> tuple[type[Locked], tuple[Place, bool, type[dict[str, Raw]]]]:
        """Pickled without what was opened, and without a key."""
        return Locked, (self.place, False, dict)


Layer = dict[str, Raw] | Locked


class LockedVariables(Mapping[str, Raw]):
    """The variables of layers of which some are locked.

    Those for which no password is at hand at all count as empty: what they hold is missed where it is needed.
    """

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self._layers = layers
        self._merged: dict[str, Raw] | None = None

    @property
    def closed(self) -> tuple[Place, ...]:
        """The files that stay closed for want of any password."""
        return tuple(layer.place for layer in self._layers if isinstance(layer, Locked) and not layer.has_key)

    def _all(self) -> dict[str, Raw]:
        if self._merged is None:
            merged: dict[str, Raw] = {}
            for layer in self._layers:
                if not isinstance(layer, Locked):
                    merged |= layer
                elif layer.has_key:
                    merged |= layer.open()
            self._merged = merged
        return self._merged

    def __getitem__(self, name: str) -> Raw:
        return self._all()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __reduce__(self) -> tuple[type[LockedVariables], tuple[tuple[Layer, ...]]]:
        """Pickled without what was opened."""
        return LockedVariables, (self._layers,)


def joined(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The same layers, fewer: those next to each other that are open become one."""
    found: list[Layer] = []
    for layer in layers:
        last = found[-1] if found else None
        if isinstance(layer, dict) and isinstance(last, dict):
            found[-1] = last | layer
        else:
            found.append(layer)
    return tuple(found)


def variables_of(layers: Iterable[Layer]) -> Mapping[str, Raw]:
    """What is set in all of them together."""
    match joined(layers):
        case ():
            return {}
        case (dict() as only,):
            return only
        case several:
            return LockedVariables(several)

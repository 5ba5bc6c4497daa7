"""What a template sees: the variables of its host, each templated when it is read and not before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, overload

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.templates.names import TemplateNames
from remotejobs.inventory.values import Raw, Secret, Unsafe, Vault
from remotejobs.inventory.vault.secrets import Secrets

_TEMPLATE_MARKS = ("{{", "{%", "{#")
# Whether the template that is being filled in read a value out of a vault: what comes of it is secret too.
_secrets_met: ContextVar[bool] = ContextVar("_secrets_met", default=False)
_under_way: ContextVar[tuple[tuple[str, Place], ...]] = ContextVar("_under_way", default=())


class Scope(TemplateNames):
    """The variables of one host by name: its `own` and Ansible's magic ones (inventory_hostname, hostvars, ...).

    Magic variables can be looked up but are not listed: `hostvars` holds all scopes, itself included.
    A value whose template meets an undefined variable is a Jinja2 Undefined. Raises `InventoryError` on lookup.
    """

    def __init__(
        self, host: str, own: Mapping[str, Raw], magic: Mapping[str, Any], secrets: Secrets, *, may_run: bool = False
    ) -> None:
        self.host = host
        self._secrets = secrets
        self.may_run = may_run
        self.own = own
        self._magic = magic

    @property
    def closed(self) -> tuple[Place, ...]:
        """Encrypted files of variables for which no password is at hand."""
        return getattr(self.own, "closed", ())

    def opened(self, text: str, file: str) -> str:
        _secrets_met.set(True)
        return self._secrets.open(text, Place(file))

    def __getitem__(self, name: str) -> Any:
        if name in self._magic:
            return self._magic[name]
        raw = self.own[name]
        return render(raw.value, self, raw.place)

    def __contains__(self, name: object) -> bool:
        return name in self._magic or name in self.own

    def __iter__(self) -> Iterator[str]:
        return iter(self.own)

    def __len__(self) -> int:
        return len(self.own)


class LazyMapping(Mapping[Any, Any]):
    """A mapping inside a variable; one value of it may refer to another."""

    def __init__(self, raw: Mapping[Any, Any], scope: Scope, place: Place) -> None:
        self._raw, self._scope, self._place = raw, scope, place

    def __getitem__(self, key: Any) -> Any:
        return render(self._raw[key], self._scope, self._place.at(self._place.line, key))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


class LazyList(Sequence[Any]):
    """A list inside a variable."""

    def __init__(self, raw: Sequence[Any], scope: Scope, place: Place) -> None:
        self._raw, self._scope, self._place = raw, scope, place

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        return render(self._raw[index], self._scope, self._place.at(self._place.line, f"[{index}]"))

    def __len__(self) -> int:
        return len(self._raw)

    def __add__(self, other: Sequence[Any]) -> list[Any]:
        return [*self, *other]

    def __radd__(self, other: Sequence[Any]) -> list[Any]:
        return [*other, *self]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and not isinstance(other, str) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list's


def render(value: Any, scope: Scope, place: Place) -> Any:
    """The value with its templates filled in as far as needed: containers stay lazy."""
    if isinstance(value, Vault):
        value = value.open(place)
    if isinstance(value, str):
        return _render_text(value, scope, place)
    if isinstance(value, Mapping):
        return LazyMapping(value, scope, place)
    return LazyList(value, scope, place) if isinstance(value, list) else value


def _render_text(text: str, scope: Scope, place: Place) -> Any:
    if isinstance(text, Secret):
        _secrets_met.set(True)
    if isinstance(text, Unsafe):
        return text if isinstance(text, Secret) else str(text)
    if not any(mark in text for mark in _TEMPLATE_MARKS):
        return text
    step = (scope.host, place)
    steps = _under_way.get()
    if step in steps:
        way = " -> ".join(p.keys[-1] for _, p in (*steps[steps.index(step) :], step))
        raise InventoryError(f"refers back to itself: {way}", place=place, remedy="Break the circle.")
    # Jinja2 is half of the time that reading a small inventory takes: only inventories that use it pay for it.
    from remotejobs.inventory.templates.engine import fill

    token = _under_way.set((*steps, step))
    outside = _secrets_met.get()
    _secrets_met.set(isinstance(text, Secret))
    try:
        value = fill(text, scope, place, _secrets_met.get)
        return Secret(value) if _secrets_met.get() and isinstance(value, str) else value
    finally:
        _secrets_met.set(outside or _secrets_met.get())
        _under_way.reset(token)

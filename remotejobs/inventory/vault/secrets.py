"""The passwords of vaults, by vault id: each is fetched when the first vault needs it, and never shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.vault.envelope import BadEnvelope, parse

GIVE = (
    "Give its password: --vault-password-file FILE, --vault-id LABEL@FILE, or --ask-vault-password; "
    "in a flow, a Secret block as access.vault_blocks."
)


@dataclass(frozen=True, slots=True)
class Key:
    """One password: its vault id, where it comes from in words, and how to fetch it (`UsageError` when that fails)."""

    label: str
    origin: str
    fetch: Callable[[], bytes] = field(repr=False)


class Secrets:
    """The passwords at hand, in the order in which they were named. Pickled without them."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._keys = tuple(keys)
        self._fetched: dict[Key, bytes] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __reduce__(self) -> tuple[type[Secrets], tuple[()]]:
        return Secrets, ()

    def open(self, text: str, place: Place) -> str:
        """What a vault says, tried with the password of its id first. `InventoryError` when none opens it."""
        try:
            envelope = parse(text)
        except BadEnvelope as exc:
            raise InventoryError(str(exc), place=place, remedy="Encrypt it again: ansible-vault encrypt.") from exc
        if not self._keys:
            raise InventoryError("is encrypted with ansible-vault", place=place, remedy=GIVE)
        for key in sorted(self._keys, key=lambda key: key.label != envelope.label):
            opened = envelope.open(self._password(key))
            if opened is not None:
                return _text(opened, place)
        tried = ", ".join(dict.fromkeys(key.origin for key in self._keys))
        label = f" for the vault id {envelope.label!r}" if envelope.label else ""
        raise InventoryError(
            f"is encrypted with ansible-vault{label}, and no password at hand opens it (tried: {tried})",
            place=place,
            remedy=GIVE,
        )

    def _password(self, key: Key) -> bytes:
        if key not in self._fetched:
            self._fetched[key] = key.fetch()
        return self._fetched[key]


def _text(opened: bytes, place: Place) -> str:
    try:
        return opened.decode()
    except UnicodeDecodeError:
        # Without its cause: that shows the bytes.
        raise InventoryError("is no UTF-8 text inside of its vault", place=place, remedy="Encrypt text.") from None

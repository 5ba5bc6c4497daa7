"""In which order hosts are updated, and reverted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from remotejobs.operations.batches import batches, size_of
from remotejobs.operations.rolling.budget import Amount, amount_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Hosts that are updated side by side; `number` counts from 1 and stays when an update is resumed.

    `spare`: those that are put in before any other host leaves, number 0.
    """

    number: int
    hosts: tuple[str, ...]
    canary: bool = False
    spare: bool = False

    @property
    def name(self) -> str:
        if self.spare:
            return "spare"
        return f"{self.number} (canary)" if self.canary else str(self.number)


def in_batches(
    hosts: Sequence[str], serial: Amount | Sequence[Amount], canary: Amount = 0, done: Collection[str] = ()
) -> tuple[Batch, ...]:
    """The canaries first, then the rest as `serial` cuts it, each without the hosts that are `done` already.

    A percentage is one of all `hosts`, and at least one host. Batches that are done altogether are left out.
    """
    count = max(amount_of(canary, len(hosts)), 1 if amount_of(canary, 100) else 0)
    sizes = [serial] if isinstance(serial, int | str) else serial
    cut = batches(hosts[count:], [size_of(size, len(hosts)) for size in sizes])
    planned = ((tuple(hosts[:count]),) if count else ()) + cut
    return tuple(
        Batch(number=number, hosts=left, canary=bool(count) and number == 1)
        for number, batch in enumerate(planned, 1)
        if (left := tuple(host for host in batch if host not in done))
    )


def newest_first(updated: Sequence[Sequence[str]], chosen: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """The `chosen` of the hosts that were `updated` batch by batch, in the order in which to revert them."""
    kept = (tuple(host for host in reversed(batch) if host in chosen) for batch in reversed(updated))
    return tuple(batch for batch in kept if batch)

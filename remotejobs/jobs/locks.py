"""Named locks on a host that outlive the controller and name their holder. `lock.sh` is its part on the host."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from remotejobs.agent.shell import Shell, call, text_of
from remotejobs.errors import HostRefused, ProtocolError


class LockFailed(HostRefused):
    """The lock was not taken. Mend the cause on the host and try again."""


class LockHeld(HostRefused):
    """Wait until the holder has ended. If it never will, `remotejobs lock release` frees it, with a reason."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a lock: `owner` is an id that no other holder has, `label` and `note` its own words, `since` UTC.

    `path` is the lock's file on the host.
    """

    owner: str
    label: str
    note: str
    since: str
    path: str


class HostLock:
    """The lock `name` on one host, among those of one user. Every method raises `HostError`.

    `directory` is where that user's jobs lie over there, as for `HostJobs`.
    """

    def __init__(self, shell: Shell, name: str, *, directory: str = "") -> None:
        self.host = shell.host
        self._shell = shell
        self._name = name
        self._directory = directory

    def holder(self) -> Holder | None:
        """Its holder; None: it is free."""
        return self.read(self._ask("lk_check"))

    def take(self, owner: str, *, label: str, note: str = "") -> Holder:
        """Take it, or find that `owner` has it already. Raises `LockHeld` and `LockFailed`."""
        holder = self.read(self._ask("lk_take", owner, _line(label), _line(note), secrets.token_hex(8)))
        if holder is None:
            raise ProtocolError(self.host, f"the lock {self._name} is free after it was taken")
        return self._of(owner, holder)

    def release(self, owner: str) -> None:
        """Give it back; that it is free already does no harm. Raises `LockHeld` when it has another holder."""
        holder = self.read(self._ask("lk_release", owner))
        if holder is not None:
            self._of(owner, holder)

    def break_lock(self, owner: str, *, by: str, reason: str) -> None:
        """Remove the lock of `owner` in a person's name; the host logs who and why. Raises `LockHeld` and `LockFailed`.

        That it is free already does no harm; a lock that has another owner by now stays.
        """
        holder = self.read(self._ask("lk_break", owner, _line(by), _line(reason)))
        if holder is not None:
            self._of("", holder)

    def read(self, fields: Mapping[str, str]) -> Holder | None:
        """The holder in an answer about this lock. Raises `LockFailed`."""
        if "error" in fields:
            raise LockFailed(self.host, f"lock {self._name}: {fields['error'].partition(' ')[2]}")
        if "free" in fields:
            return None
        owner, label, note, since, path = (fields.get(name, "") for name in ("owner", "label", "note", "since", "path"))
        return Holder(owner, label, note, since, path)

    def _of(self, owner: str, holder: Holder) -> Holder:
        if holder.owner != owner:
            whose = f"{holder.label} ({holder.owner})" if holder.label else holder.owner or "an unknown holder"
            where = f"the file there is {holder.path}"
            raise LockHeld(self.host, f"{self._name} is locked by {whose} since {holder.since}; {where}")
        return holder

    def _ask(self, function: str, *words: str) -> dict[str, str]:
        texts = (text_of("remotejobs.jobs", "lock.sh"),)
        return call(self._shell, texts, (function, self._directory, self._name, *words))


def _line(text: str) -> str:
    return " ".join(text.split())

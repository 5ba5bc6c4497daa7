"""What a migration asks a host beside its jobs: lock, space, proof of death. `host.sh` is its part on the host."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from remotejobs.agent.functions import call, text_of
from remotejobs.agent.shell import Shell
from remotejobs.errors import HostRefused, ProtocolError
from remotejobs.jobs.locks import Holder, HostLock

LOCK = "migration"
_LONGEST_GRACE = 10  # seconds: the answer is awaited for little longer


class CheckFailed(HostRefused):
    """Correct the path, or mend the host."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The holder of the host's lock (None: it is free), and the MiB that are free."""

    holder: Holder | None
    free_mib: int


class MigrationHost:
    """One host, as the user that the migration's jobs run as. Every method raises `HostError`.

    `directory` is where that user's jobs lie over there, as for `HostJobs`.
    """

    def __init__(self, shell: Shell, *, directory: str = "") -> None:
        self.lock = HostLock(shell, LOCK, directory=directory)
        self._shell = shell
        self._directory = directory

    def check(self, space: str = "") -> Readiness:
        """Changes nothing. `space` is a path on the file system that must have room; "": the home directory."""
        fields = self._ask("mg_check", LOCK, space)
        if fields.get("error", "").startswith("no_such_path "):
            raise CheckFailed(self._shell.host, fields["error"].partition(" ")[2])
        holder = self.lock.read(fields)
        free = fields.get("free_kib", "")
        if not re.fullmatch(r"\d{1,18}", free, re.ASCII):
            raise ProtocolError(self._shell.host, f"the free space came back as {free[:40]!r}")
        return Readiness(holder, int(free) // 1024)

    def prove_dead(self, jids: Sequence[str], *, grace: int) -> str:
        """End every process that jobs left behind: TERM, `grace` seconds (at most 10), KILL. Returns what survived.

        "" proves that nothing did. A job that is not there has no processes.
        """
        fields = self._ask("mg_prove", str(min(grace, _LONGEST_GRACE)), *jids)
        if "survivors" not in fields:
            raise ProtocolError(self._shell.host, f"no proof came back: {fields.get('error', 'no reason given')}")
        return fields["survivors"]

    def _ask(self, function: str, *words: str) -> dict[str, str]:
        texts = (text_of("remotejobs.jobs", "lock.sh"), text_of("remotejobs.operations.migration", "host.sh"))
        return call(self._shell, texts, (function, self._directory, *words))

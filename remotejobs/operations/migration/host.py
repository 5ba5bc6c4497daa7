"""What a migration asks a host beside its jobs: lock, space, proof of death. `host.sh` is its part on the host."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remotejobs.agent.shell import Shell, call, text_of
from remotejobs.errors import HostRefused, ProtocolError
from remotejobs.jobs.locks import Holder, HostLock
from remotejobs.operations.migration.commands import Commands
from remotejobs.operations.migration.observed import MigrationStep
from remotejobs.operations.migration.postgres import PostgresRefused
from remotejobs.operations.migration.programs import FirstWords, first_words

LOCK = "migration"
_LONGEST_QUESTION = 48 * 1024  # bytes of commands: mksh and the kernel bound one argument, and quotes may double it
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

    @property
    def name(self) -> str:
        return self._shell.host

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

    def wrong_commands(self, commands: Commands) -> dict[MigrationStep, str]:
        """Which commands cannot work there, and why: their syntax, their first program, the file that it reads.

        Runs none of them. What rollback reads may be made by prepare_rollback, and what any step needs by before, so
        it is not asked for then.
        """
        words: list[str] = [commands.chdir]
        room = _LONGEST_QUESTION
        for step in sorted(commands.steps):
            cmd = commands.of(step)
            fetched = commands.before and step is not MigrationStep.BEFORE
            first = FirstWords() if fetched or "PATH" in commands.env else first_words(cmd)
            made = commands.prepare_rollback and step in (MigrationStep.ROLLBACK, MigrationStep.VERIFY_ROLLBACK)
            if (room := room - len(cmd.encode())) >= 0:
                words += [step, cmd, _from_home(first.program), "" if made else _from_home(first.file)]
        fields = self._ask("mg_commands", *words)
        return {step: fields[f"wrong_{step}"] for step in MigrationStep if f"wrong_{step}" in fields}

    def left_running(self, jids: Sequence[str]) -> str:
        """What jobs that ended by themselves left running, by name; "": nothing was found. Ends nothing."""
        fields = self._ask("mg_left", *jids)
        if "left" not in fields:
            raise ProtocolError(self._shell.host, f"no answer came back: {fields.get('error', 'no reason given')}")
        return fields["left"]

    def prove_dead(self, jids: Sequence[str], *, grace: int) -> str:
        """End every process that jobs left behind: TERM, `grace` seconds (at most 10), KILL. Returns what survived.

        "" proves that nothing did. A job that is not there has no processes.
        """
        fields = self._ask("mg_prove", str(min(grace, _LONGEST_GRACE)), *jids)
        if "survivors" not in fields:
            raise ProtocolError(self._shell.host, f"no proof came back: {fields.get('error', 'no reason given')}")
        return fields["survivors"]

    def ask_postgres(self, psql: str, sql: str, *, env: Mapping[str, str], chdir: str = "") -> str:
        """What psql, as the shell text `psql` runs it there, answers to the query `sql`, in one line.

        Raises `PostgresRefused` with psql's own words when there is no answer.
        """
        settings = [f"{name}={value}" for name, value in env.items()]
        texts = (text_of("remotejobs.operations.migration", "host.sh"),)
        fields = call(self._shell, texts, ("mg_psql", chdir, psql.strip(), sql, *settings))
        if "answer" not in fields:
            why = fields.get("refused", "nothing came back")
            raise PostgresRefused(self._shell.host, f"`{psql.strip()}` did not answer: {why}")
        return fields["answer"].strip()

    def _ask(self, function: str, *words: str) -> dict[str, str]:
        texts = (text_of("remotejobs.jobs", "lock.sh"), text_of("remotejobs.operations.migration", "host.sh"))
        return call(self._shell, texts, (function, self._directory, *words))


def _from_home(path: str) -> str:
    return f"./{path[2:]}" if path.startswith("~/") else path

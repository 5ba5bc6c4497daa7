"""The two jobs that upgrade a host, and the question whether it needs a reboot then."""

from __future__ import annotations

import re
from dataclasses import dataclass

from remotejobs.agent.shell import Shell, command_of, text_of
from remotejobs.errors import ProtocolError
from remotejobs.model import LONGEST_GRACE, Job
from remotejobs.operations.upgrade.plan import Upgrade
from remotejobs.text import visible

_NEED = re.compile(r"reboot (yes|no|unknown) *(.*?) *")
_ANSWERS = {"yes": True, "no": False, "unknown": None}
PREPARE, INSTALL = "prepare upgrade", "install upgrade"


def prepare_job(plan: Upgrade, jid: str) -> Job:
    """Fetches the lists and the packages; may be ended at any time."""
    return Job(jid=jid, cmd=_command(plan, "up_prepare"), label=PREPARE, timeout=plan.prepare_timeout)


def install_job(plan: Upgrade, jid: str) -> Job:
    """Installs them.

    It has no timeout, and when it is killed the package manager is given the longest grace there is.
    """
    return Job(jid=jid, cmd=_command(plan, "up_install"), label=INSTALL, grace=LONGEST_GRACE)


@dataclass(frozen=True, slots=True)
class RebootNeed:
    """Whether a host needs a reboot, None where it does not know, and why, in its own words (perhaps none)."""

    needed: bool | None
    why: str = ""

    def __str__(self) -> str:
        if self.needed is None:
            return f"unknown: {self.why}"
        return (self.why or "needed") if self.needed else ""


def reboot_need(shell: Shell) -> RebootNeed:
    """What the host says of it; that it needs none is said only where it has the means to know. Raises `HostError`."""
    said = shell.run(f"{_text()}\nup_check").output
    for line in said.splitlines():
        if found := _NEED.fullmatch(line):
            return RebootNeed(_ANSWERS[found[1]], visible(found[2]))
    raise ProtocolError(shell.host, f"whether it needs a reboot was not answered: {said[-200:]!r}")


def _command(plan: Upgrade, function: str) -> str:
    settings = [
        f"MANAGER={plan.manager}",
        f"DIST={'yes' if plan.dist else 'no'}",
        f"LOCK_TIMEOUT={plan.lock_timeout}",
    ]
    return command_of(_text(), function, *plan.packages, before=settings)


def _text() -> str:
    return text_of("remotejobs.operations.upgrade", "upgrade.sh")

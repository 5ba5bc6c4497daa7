"""The two jobs that upgrade a host, and the question whether it needs a reboot then."""

from __future__ import annotations

from remotejobs.host_half import command_of, text_of
from remotejobs.model import LONGEST_GRACE, Job
from remotejobs.shell import Shell
from remotejobs.upgrade.plan import Upgrade

PREPARE, INSTALL = "prepare upgrade", "install upgrade"


def prepare_job(plan: Upgrade, jid: str) -> Job:
    """Fetches the lists and the packages; may be ended at any time."""
    return Job(jid=jid, cmd=_command(plan, "up_prepare"), label=PREPARE, limit=plan.prepare_limit)


def install_job(plan: Upgrade, jid: str) -> Job:
    """Installs them. It has no limit, and when it is killed the package manager is given the longest grace there is."""
    return Job(jid=jid, cmd=_command(plan, "up_install"), label=INSTALL, grace=LONGEST_GRACE)


def why_reboot(shell: Shell) -> str | None:
    """Why the host wants a reboot, in its own words (perhaps none); None when it does not. Raises `HostError`."""
    said = shell.run(f"{_text()}\nup_look").output
    for line in said.splitlines():
        if line.startswith("reboot yes"):
            return line.removeprefix("reboot yes").strip()
    return None


def _command(plan: Upgrade, function: str) -> str:
    settings = [
        f"MANAGER={plan.manager}",
        f"DIST={'yes' if plan.dist else 'no'}",
        f"LOCK_TIMEOUT={plan.lock_timeout}",
    ]
    return command_of(_text(), function, *plan.packages, before=settings)


def _text() -> str:
    return text_of("remotejobs.upgrade", "upgrade.sh")

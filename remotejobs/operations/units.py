"""Units of systemd: the job that restarts one and sees it stay active. `units.sh` is its part on the host."""

from __future__ import annotations

import re

from remotejobs.agent.shell import command_of, text_of
from remotejobs.errors import UsageError
from remotejobs.model import Job

_UNIT = re.compile(r"[A-Za-z0-9:_.\\][A-Za-z0-9:_.@\\-]*")


def restart_job(unit: str, jid: str, *, timeout: int, stay_active: int) -> Job:
    """Restarts `unit`, and fails unless it is active for `stay_active` seconds. `UsageError` if that is no unit's name.

    At its `timeout` (seconds) the job ends; what it asked of systemd goes on.
    """
    if not _UNIT.fullmatch(unit):
        raise UsageError(
            f"{unit!r} is not the name of a unit", remedy="Give it as systemctl does: nginx, backup@db1.service."
        )
    command = command_of(text_of("remotejobs.operations", "units.sh"), "un_restart", unit, str(stay_active))
    return Job(jid=jid, cmd=command, label=f"restart {unit}", timeout=timeout)

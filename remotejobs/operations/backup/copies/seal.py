"""A backup that could not be encrypted when it was made is encrypted before it goes to another place."""

from __future__ import annotations

import shlex

from remotejobs.agent.shell import command_of
from remotejobs.errors import UsageError
from remotejobs.model import Job
from remotejobs.operations.backup.item.script import GRACE
from remotejobs.operations.backup.plan import BackupPlan
from remotejobs.operations.backup.texts import texts

_TEXTS = (
    "item/backup.sh",
    "item/record.sh",
    "item/place.sh",
    "kinds/restore_test.sh",
    "copies/seal.sh",
    "copies/seal_again.sh",
)
_TIMEOUT = 6 * 3600


def seal_job(plan: BackupPlan, item: str, file: str, *, jid: str) -> Job:
    """The job that encrypts the backup `file` of `item` for the plan's recipients. `UsageError` where it has none."""
    if plan.encrypts is None:
        raise UsageError("the plan encrypts nothing", remedy="Name recipients under encryption.")
    settings = {
        "DIRECTORY": plan.directory,
        "FILE": file,
        "ITEM": item,
        "MIN_FREE_KIB": str(plan.min_free_mib * 1024),
        "SEAL": plan.encrypts.program,
        "RECIPIENTS": shlex.join(plan.encrypts.recipients),
    }
    before = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
    return Job(
        jid=jid,
        cmd=command_of(texts(_TEXTS), "sl_main", before=before),
        label=f"encrypt {file}",
        timeout=_TIMEOUT,
        grace=GRACE,
        locks=(f"backup-seal:{item}",),
        queue_timeout=_TIMEOUT,
    )

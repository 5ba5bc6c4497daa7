"""Names for jobs that a retried or resumed flow run finds again, so that it attaches instead of starting twice."""

from __future__ import annotations

import hashlib
import json
import re
from uuid import uuid4

from prefect.runtime import flow_run, task_run

from remotejobs.prefect.tasks.runs.options import options_of_this_run

_READABLE = 40


def jid_for(label: str, item: str = "", *, run: str = "") -> str:
    """The jid of a step's job: the same for one flow run, label and item, different otherwise.

    The flow run's id is stable over retries, the task run's is not. A shard's jobs carry the id of the run that was
    split. A task without a flow uses its own id, which is stable over its retries; outside of both the jid is random.
    Give `run` the id of another flow run to get the jid of its job.
    """
    run = run or options_of_this_run().shard.of or flow_run.id or task_run.id or str(uuid4())
    # What is readable may be cut or alike; the digest distinguishes them.
    readable = re.sub(r"[^A-Za-z0-9]+", "-", f"{label} {item}")[:_READABLE].strip("-") or "job"
    digest = hashlib.sha256(json.dumps([label, item]).encode()).hexdigest()[:12]
    return f"{readable}.{digest}.{run}"

"""A worker that dies while copies of a backup are on their way: another one goes on with them."""

from __future__ import annotations

import hashlib
import os
import signal

import pytest

from lab.process import ServerProcess
from remotejobs.model import State
from tests.cluster import Cluster, await_true
from tests.processes import processes
from tests.resume.conftest import POLL, paused, send

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SIZE = 4 * 1024 * 1024


def test_a_copy_whose_worker_died_on_the_way_is_gone_on_with_by_another_and_nothing_is_backed_up_twice(
    cluster: Cluster, survivor: ServerProcess
) -> None:
    source, vault = (cluster.ssh.host(name).home for name in ("db1", "db2"))
    (source / "mail").write_bytes(os.urandom(SIZE))
    item = {"name": "mail", "hosts": "db1", "base": str(source), "paths": ["mail"], "compress": False}
    place = {"name": "offsite", "host": "db2", "directory": "copies", "encrypted": False, "min_free_mib": 0}
    plan = {"directory": "mails", "min_free_mib": 0, "files": [item], "copies": [place | {"rate_kib": 256}]}
    with paused(survivor):
        worker = cluster.prefect.start_worker("courier")
        run = cluster.start("nightly-backup", plan=plan, poll=POLL)
        incoming = vault / "copies" / "db1" / ".incoming"
        await_true(lambda: any(part.stat().st_size > SIZE // 8 for part in incoming.glob(".mail-*.part")))
        send(signal.SIGKILL, [worker.pid, *processes(run.id)])
        (part,) = incoming.glob(".mail-*.part")
        half = part.stat().st_size
        assert half < SIZE
    ended = cluster.await_state(run, "Completed", "Failed", "Cancelled", "Warning")
    assert ended.state and ended.state.name == "Completed", ended.state
    (backup,) = (source / "mails").glob("mail-*.tar")
    (copy,) = (vault / "copies" / "db1").glob("mail-*.tar")
    assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(backup.read_bytes()).digest()
    assert [job.state for job in cluster.jobs_of(run, "db1")] == [State.SUCCEEDED]
    assert not [*incoming.iterdir()]

"""A network that fails in the middle of a login is no refusal: what waits for it goes on waiting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from faults.network.transports import connection_to, jobs_at
from faults.network.wire import BadWire
from lab.servers.sshd import SshLab
from remotejobs.connections.ssh.login.attempts import log_in
from remotejobs.errors import ConnectionLost, TimedOut, Unreachable

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    ("fail", "reported"), [(BadWire.stall, TimedOut), (BadWire.cut, ConnectionLost), (BadWire.lose, TimedOut)]
)
def test_a_login_that_is_cut_off_is_reported_as_such_and_passes(
    fail: Callable[[BadWire], None], reported: type[Unreachable], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SshLab(tmp_path / "lab", ["host"]) as lab, BadWire(lab.host("host").port, Random(1)) as wire:

        def fail_first(*words: object) -> None:
            fail(wire)
            monkeypatch.setattr("remotejobs.connections.ssh.transport.session.log_in", log_in)
            log_in(*words)  # type: ignore[arg-type]

        monkeypatch.setattr("remotejobs.connections.ssh.transport.session.log_in", fail_first)
        connection = connection_to(lab, "host", wire=wire, retry_for=0, connect_timeout=1)
        with pytest.raises(reported) as failed:
            jobs_at(connection, tmp_path).list()
        assert failed.value.transient
        wire.resume()
        assert jobs_at(connection, tmp_path / "jobs").list() == ()
        connection.close()

"""Hosts that hang: what is asked of others goes on, and who has enough of them does not wait for them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from lab.proxy import Proxy
from lab.servers.sshd import SshLab
from remotejobs.connections.base import Connection, Reply
from remotejobs.errors import Unreachable
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.watch import THREADS, JobWatch
from remotejobs.model import Job
from tests.ssh.asking import BY_PARAMIKO, ask, known_at

Connect = Callable[..., Connection]

LONG = 60.0  # seconds; nothing here takes so long
HANGING, HEALTHY = THREADS + 8, 10


@BY_PARAMIKO
def test_ends_of_healthy_hosts_are_known_while_more_hosts_hang_than_threads_serve(
    connect: Connect, lab: SshLab, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    kept = os.open(go, os.O_RDWR)
    with Proxy(lab.host("db1").port) as proxy:
        known = known_at(lab, proxy.port)
        hosts = {f"hanging{number}": connect(ansible_port=proxy.port, **known) for number in range(HANGING)}
        healthy = {f"healthy{number}": connect() for number in range(HEALTHY)}
        jobs = {name: HostJobs(each, directory=str(tmp_path / name)) for name, each in {**hosts, **healthy}.items()}
        for each in jobs.values():
            each.start(Job(jid="j", cmd=f"read _ < {go}"))
        proxy.stall()
        watch = JobWatch({name: ["j"] for name in jobs}, jobs.__getitem__)
        os.write(kept, b"\n" * len(jobs))
        assert {event.host for event in islice(watch.news(LONG), HEALTHY)} == set(healthy)
        assert {host for host, _ in watch.pending} == set(hosts)
        watch.stop()
    os.close(kept)


@contextmanager
def being_opened(connect: Connect, retry_for: float = 0) -> Iterator[tuple[Connection, Future[Reply]]]:
    """A connection, and what is asked over it, while its host has taken it and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        options = f"-o ConnectTimeout={LONG:g} -o StrictHostKeyChecking=no"
        connection = connect(ansible_port=server.getsockname()[1], ansible_ssh_common_args=options, retry_for=retry_for)
        asked = pool.submit(ask, connection, "true")
        with server.accept()[0] as peer:
            assert peer.recv(1)
            yield connection, asked


@BY_PARAMIKO
def test_who_closes_a_connection_does_not_wait_for_a_host_that_hangs_in_the_handshake(connect: Connect) -> None:
    with being_opened(connect) as (connection, asked):
        connection.close()
        assert not asked.done()


@pytest.mark.transport("openssh")
def test_who_closes_a_connection_ends_a_login_that_hangs(connect: Connect) -> None:
    with being_opened(connect, retry_for=LONG) as (connection, asked):
        connection.close()
        with pytest.raises(Unreachable, match="closed here while it was opened"):  # and it is not opened again
            asked.result(LONG / 2)

"""A compromised host: its answers cost little, are not believed, and cannot reach a terminal."""

from __future__ import annotations

import re
import socket
import struct
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from remotejobs.agent.request import Read
from remotejobs.agent.shell import Shell
from remotejobs.connections.connect import open_connection
from remotejobs.errors import HostError, InvalidJob, ProtocolError, TimedOut, Unreachable
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.locks import HostLock
from remotejobs.model import Job
from tests.attack.hosts import Liar, forced, lying
from tests.attack.refusing import refused
from tests.cli.running import remotejobs
from tests.ssh.asking import SomeHost, ask

MIB = 1024 * 1024
ESCAPE = b"\x1b]0;owned\x07\x1b[2J\xc2\x9bx"


@pytest.fixture(scope="module")
def liar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Liar]:
    with lying(tmp_path_factory.mktemp("liar")) as liar:
        yield liar


@pytest.fixture
def liars_jobs(liar: Liar) -> Iterator[HostJobs]:
    with jobs_of(liar.variables) as jobs:
        yield jobs


@contextmanager
def jobs_of(variables: dict[str, Any]) -> Iterator[HostJobs]:
    connection = open_connection(SomeHost("evil", variables), retry_for=0)
    try:
        yield HostJobs(connection)
    finally:
        connection.close()


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("flood", ["cat /dev/zero", "yes"])
def test_output_without_end_is_refused_at_its_bound(tmp_path: Path, flood: str) -> None:
    too_long = pytest.raises(ProtocolError, match=r"the answer is longer than \d+ bytes")
    with forced(tmp_path, flood) as lab, jobs_of(lab.variables("evil")) as jobs, memory_below(16 * MIB), too_long:
        jobs.record("j")


def test_stderr_without_end_holds_nobody_beyond_the_deadline(tmp_path: Path) -> None:
    with forced(tmp_path, "sh -c 'yes >&2'") as lab:
        connection = open_connection(SomeHost("evil", lab.variables("evil")), retry_for=0)
        with memory_below(16 * MIB), pytest.raises(TimedOut, match="no complete answer within 1 s"):
            ask(connection, "true", timeout=1)
        connection.close()


def test_a_login_that_prints_gigabytes_in_front_of_the_answer_is_refused(tmp_path: Path) -> None:
    too_much, noisy = pytest.raises(ProtocolError), "sh -c 'head -c 10G /dev/zero; exec sh -s'"
    with forced(tmp_path, noisy) as lab, jobs_of(lab.variables("evil")) as jobs, memory_below(16 * MIB), too_much:
        jobs.start(Job(jid="j", cmd="true"))


def _serve(talk: Callable[[socket.socket], None]) -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        link, _ = server.accept()
        try:
            talk(link)
        except OSError:
            return

    threading.Thread(target=accept, daemon=True).start()
    return server


def _announce_gigabytes(link: socket.socket) -> None:
    link.sendall(b"SSH-2.0-evil\r\n" + struct.pack(">I", 0xFFFFFF00) + b"\x04\x14")
    while True:
        link.sendall(b"\0" * 65536)


def test_a_packet_of_four_gigabytes_is_not_waited_for(lab_variables: dict[str, Any]) -> None:
    with _serve(_announce_gigabytes) as server, memory_below(8 * MIB):
        variables = lab_variables | {"ansible_port": server.getsockname()[1], "ansible_timeout": 60}
        connection = open_connection(SomeHost("evil", variables), retry_for=0)
        with pytest.raises(Unreachable, match="closed the connection before the login"):
            ask(connection, "true")


@pytest.fixture
def lab_variables(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "known").touch()
    options = f"-F none -o UserKnownHostsFile={tmp_path}/known"
    return {"ansible_host": "127.0.0.1", "ansible_user": "root", "ansible_ssh_common_args": options}


def test_records_of_other_jobs_are_not_believed(liar: Liar, liars_jobs: HostJobs) -> None:
    liar.says(b"job other\nstate succeeded\nrc 0\n")
    with pytest.raises(ProtocolError, match="not about the jobs that were asked for"):
        liars_jobs.record("j")
    with pytest.raises(ProtocolError, match="not about the jobs that were asked for"):
        liars_jobs.status([Read("other"), Read("j")])
    assert [record.jid for record in liars_jobs.list()] == ["other"]


@pytest.mark.parametrize("jid", ["../../etc/passwd", "-rf", "$(id)", "a b", "x" * 101, "\x1b[2J"])
def test_a_name_that_could_be_a_path_or_an_option_is_never_taken_from_a_host(
    liar: Liar, liars_jobs: HostJobs, jid: str
) -> None:
    liar.says(f"job {jid}\nstate succeeded\nrc 0\n".encode())
    with pytest.raises(ProtocolError) as refused:
        liars_jobs.list()
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize("rc", [b"\xc2\xb2", b"9" * 5000, b"-1", b"", b"1e3"])
def test_an_exit_code_that_is_none_is_damage(liar: Liar, liars_jobs: HostJobs, rc: bytes) -> None:
    liar.says(b"said\n" + rc + b"\n")
    with pytest.raises(ProtocolError, match="where an exit code must be"):
        Shell(liars_jobs._connection).run("true")


def test_a_lock_cannot_bring_escapes_into_an_error(liar: Liar, liars_jobs: HostJobs) -> None:
    liar.says(b"owner me\nlabel " + ESCAPE + b"\nsince " + ESCAPE + b"\nanswered\n0\n")
    with pytest.raises(HostError, match="is locked by") as held:
        HostLock(Shell(liars_jobs._connection), "migration").take("you", label="l")
    assert not re.search("[\x00-\x1f\x7f-\x9f]", str(held.value))


FIELDS = (b"label", b"signal", b"msg", b"survivors", b"cause", b"results_dir")


def test_no_word_of_a_host_reaches_a_terminal_as_an_escape(liar: Liar, tmp_path: Path) -> None:
    fields = b"".join(field + b" " + ESCAPE + b"\n" for field in FIELDS)
    blobs = b"".join(
        b"blob %s %d 0 %d\n%s\n" % (name, len(ESCAPE), len(ESCAPE), ESCAPE) for name in (b"cmd", b"stdout", b"stderr")
    )
    liar.says(b"job j\nstate failed\nrc 1\n" + fields + blobs)
    where = ["-i", str(liar.inventory(tmp_path / "hosts.yml"))]
    for words in (["status", "all", "j", "-v"], ["list", "all", "-v"], ["kill", "all", "j"], ["wait", "all", "j"]):
        ended = remotejobs(*words, *where)
        assert "owned" in ended.out, ended
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", ended.out + ended.err), words
    for body in (b"error start_failed ", b"state failed\nstart "):
        liar.says(b"job j\n" + body + ESCAPE + b"\n")
        ended = remotejobs("status", "all", "j", *where)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", ended.out + ended.err)
        assert "owned" in ended.out + ended.err


def test_a_host_cannot_make_a_start_look_like_another_job(liar: Liar, liars_jobs: HostJobs) -> None:
    liar.says(b"job other\nstate running\n")
    try:
        record = liars_jobs.start(Job(jid="mine", cmd="true"))
    except (ProtocolError, InvalidJob):
        return
    assert record.jid == "mine"


def test_whatever_a_host_answers_only_documented_errors_come_of_it(liar: Liar, liars_jobs: HostJobs) -> None:
    bodies = [b"", b"\n", b"state", b"error", b"error x", b"blob stdout 1 1 99\n", b"job\n", b"job j\nerror\n", b"\xff"]
    for body in bodies:
        liar.says(body)
        with refused(body):
            liars_jobs.record("j")
        with refused(body):
            liars_jobs.kill("j")

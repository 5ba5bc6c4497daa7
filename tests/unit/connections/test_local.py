"""This machine is asked as any other host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from remotejobs.connections.base import Question, Reply
from remotejobs.connections.local import LocalConnection
from remotejobs.errors import ProtocolError, TimedOut
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, Record, State

END = b"the-end\n"


def ask(script: str, *, timeout: float = 20.0, max_bytes: int = 8_000_000) -> Reply:
    whole = f"{script}\nprintf 'the-%s\\n' end\n".encode()
    return LocalConnection("here").ask(Question(whole, end=END, timeout=timeout, max_bytes=max_bytes))


def test_an_answer_comes_back_with_both_streams() -> None:
    # Many times, for the error is said so late that it is easily missed.
    for _ in range(20):
        assert ask("echo out; echo err >&2") == Reply(b"out\n" + END, b"err\n", complete=True)


def test_an_answer_without_the_end_mark_is_incomplete() -> None:
    assert ask("echo half; exit 3") == Reply(b"half\n", b"", complete=False)


def test_a_script_that_ends_without_the_end_mark_is_not_waited_for() -> None:
    reply = LocalConnection("here").ask(Question(b"echo half\n", end=END, timeout=600, max_bytes=100))

    assert reply == Reply(b"half\n", b"", complete=False)


def test_two_mebibytes_on_both_streams_at_once_do_not_block() -> None:
    reply = ask("head -c 2097153 /dev/zero >&2\nhead -c 2097153 /dev/zero")

    assert len(reply.stdout) == 2097153 + len(END)
    assert len(reply.stderr) == 8192


def test_a_script_longer_than_a_pipe_is_sent_while_the_answer_is_read() -> None:
    assert len(ask(("echo " + "x" * 1000 + "\n") * 1000).stdout) == 1001 * 1000 + len(END)


def test_more_output_than_allowed_is_damage() -> None:
    with pytest.raises(ProtocolError, match="here: "):
        ask("yes", max_bytes=1000)


def test_an_exchange_ends_at_its_deadline_and_its_shell_too() -> None:
    with pytest.raises(TimedOut, match="here: no complete answer within 0.2 s"):
        ask("sleep 600", timeout=0.2)


def test_the_shell_has_a_session_of_its_own() -> None:
    said = ask("ps -o sid= -p $$").stdout.split()[0]

    assert int(said) != os.getsid(0)


def test_a_job_outlives_a_start_that_is_broken_off_while_it_waits(tmp_path: Path) -> None:
    """Ctrl-C at the controller, for one: the supervisor is in the process group of the shell that answers."""
    jobs, go_on = HostJobs(LocalConnection("here"), directory=str(tmp_path)), tmp_path / "go-on"

    def break_off(_: Record) -> None:
        raise KeyboardInterrupt

    job = Job(jid="j", cmd=f"until [ -e {go_on} ]; do sleep 0.1; done")
    with pytest.raises(KeyboardInterrupt):
        jobs.start(job, wait=60, on_start=break_off)
    assert jobs.record("j").state is State.RUNNING
    go_on.touch()
    assert jobs.record("j", wait=60).state is State.SUCCEEDED

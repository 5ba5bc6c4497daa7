"""A host that refuses says why, and its words reach the caller; the job's secrets do not come back in them."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.agent import request
from remotejobs.agent.shell import Shell
from remotejobs.connections.base import Become, Question, Reply
from remotejobs.connections.exchange import Exchange
from remotejobs.connections.host_words import hidden, words_of_host
from remotejobs.errors import BecomeFailed, ConnectionLost, HostError, ProtocolError
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job

SECRET = "correct horse's battery"
JOB = Job(jid="j", cmd="pg_dump shop >/var/backups/shop.sql", env={"PGPASSWORD": SECRET, "STAGE": "on"})

# As real hosts say it, each on the stream where it comes.
ERR, OUT = "stderr", "stdout"
REFUSALS = {
    "rbash": (ERR, "rbash: line 1: /usr/bin/sh: restricted: cannot specify `/' in command names"),
    "rbash without sh": (ERR, "rbash: line 1: sh: command not found"),
    "no sh": (ERR, "bash: line 1: sh: command not found"),
    "busybox without sh": (ERR, "-ash: sh: not found"),
    "nologin": (OUT, "This account is currently not available."),
    "ForceCommand": (OUT, "Only backups may be started here; ask the directory of operations."),
    "internal-sftp": (OUT, "This service allows sftp connections only."),
    "git-shell": (ERR, "fatal: unrecognized command 'sh -s'"),
    "expired password": (ERR, "WARNING: Your password has expired.\nPassword change required but no TTY available."),
    "expired account": (ERR, "Your account has expired; please contact your system administrator."),
    "full disk": (ERR, "sh: 1: cannot create /tmp/sh-thd.4711: No space left on device"),
    "out of processes": (ERR, "sh: 0: Cannot fork: Resource temporarily unavailable"),
    "out of memory": (ERR, "sh: error while loading shared libraries: libc.so.6: cannot map the file: out of memory"),
    "library missing": (ERR, "sh: error while loading shared libraries: libc.so.6: cannot open shared object file"),
    "no permission": (ERR, "bash: line 1: /usr/bin/sh: Permission denied"),
    "home away": (
        ERR,
        "Could not chdir to home directory /home/app: No such file or directory\nsh: 0: getcwd() failed",
    ),
    "nologin file": (ERR, "System is going down. Unprivileged users are not permitted to log in anymore."),
    "syntax": (ERR, 'sh: 12: Syntax error: "(" unexpected (expecting "done")'),
    "windows": (ERR, "'sh' is not recognized as an internal or external command,\r\noperable program or batch file."),
    "appliance": (OUT, "% Invalid input detected at '^' marker."),
    "menu": (OUT, "Welcome to the start of the directory service.\nUnknown command: sh -s"),
}


class Refusing:
    """A host that says something else than an answer."""

    host = "db1"

    def __init__(self, stdout: bytes = b"", stderr: bytes = b"", *, begins: bool = False) -> None:
        self.stdout, self.stderr, self.begins = stdout, stderr, begins

    def ask(self, question: Question) -> Reply:
        mark = b"remotejobs 1 begin" if b"rj_start" in question.script else b"remotejobs begin"
        begin = question.end.replace(b"remotejobs end", mark)
        return Reply((b"\n" + begin if self.begins else b"") + self.stdout, self.stderr, complete=False)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_reported_in_the_hosts_own_words(name: str) -> None:
    stream, words = REFUSALS[name]
    said = f"{words}\n".encode()
    host = Refusing(stdout=said) if stream == OUT else Refusing(stderr=said)
    for ask in (lambda: HostJobs(host).start(JOB), lambda: HostJobs(host).list(), lambda: Shell(host).run("uptime")):
        with pytest.raises(ProtocolError) as reported:
            ask()
        for line in words.splitlines():
            assert line in reported.value.message
        assert "\n" not in reported.value.message


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_host_said_before_it_broke_off_an_answer_is_reported(name: str) -> None:
    host = Refusing(stderr=f"{REFUSALS[name][1]}\n".encode(), begins=True)
    for ask in (lambda: HostJobs(host).start(JOB), lambda: Shell(host).run("uptime")):
        with pytest.raises(ConnectionLost) as reported:
            ask()
        assert all(line in reported.value.message for line in REFUSALS[name][1].splitlines())


def test_both_streams_are_reported_and_a_silent_host_is_called_silent() -> None:
    with pytest.raises(ProtocolError, match="the host said: Permission denied; Welcome"):
        HostJobs(Refusing(b"Welcome\n", b"Permission denied\n")).list()
    with pytest.raises(ProtocolError, match="the host said: nothing"):
        HostJobs(Refusing()).list()


def test_a_login_that_echoes_everything_gives_no_secret_back() -> None:
    class Echo(Refusing):
        def ask(self, question: Question) -> Reply:
            traced = b"".join(b"+ " + line + b"\n" for line in question.script.splitlines())
            return Reply(self.stdout + traced, question.script + b"bye\n", complete=False)

    with pytest.raises(HostError) as reported:
        HostJobs(Echo()).start(JOB)
    assert "bye" in reported.value.message
    assert "horse" not in reported.value.message and "battery" not in reported.value.message


@given(
    st.text("ab '\"$x", min_size=4, max_size=12).filter(lambda text: len(text.strip(" '\"")) >= 4),
    st.text("yz ", max_size=20),
    st.text("yz ", max_size=20),
)
def test_a_secret_is_hidden_wherever_it_stands(secret: str, before: str, after: str) -> None:
    for form in (secret, shlex.quote(secret)):
        assert secret.strip() not in words_of_host(b"", [secret], f"{before}{form}{after}".encode())


def test_a_secret_that_was_cut_off_is_hidden_and_what_is_too_short_to_be_one_is_not() -> None:
    assert hidden("ery said the host; PGPASSWORD=correct ho", ["correct horse battery"]).count("***") == 1
    assert hidden("battery said the host", ["correct horse battery"]) == "*** said the host"
    assert hidden("No space left on device", ["on"]) == "No space left on device"


def test_what_is_ours_alone_is_no_word_of_the_host() -> None:
    asked = request.start(JOB, "")
    assert words_of_host(asked.script, asked.secrets, asked.script) == ""


def test_sudos_own_words_are_reported_to_the_last_and_without_the_password() -> None:
    exchange = Exchange("db1", Question(b"", end=b"end", timeout=1, max_bytes=99, become=Become("root", SECRET)))
    exchange.take_stderr(b"sudo: unable to resolve host db1\n" + SECRET.encode() + b" echoed: Account has expired\n")
    with pytest.raises(BecomeFailed, match="unable to resolve host db1; .*Account has expired") as reported:
        exchange.reply()
    assert SECRET not in reported.value.message

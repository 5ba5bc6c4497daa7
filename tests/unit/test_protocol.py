"""The answer parser believes nothing that is not exactly as the protocol says, and never breaks."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.agent import request
from remotejobs.agent import response as protocol
from remotejobs.agent.request import Read, Request
from remotejobs.agent.response import Response
from remotejobs.errors import JobExists, ProtocolError, RemoteJobsError
from remotejobs.model import Job, Record, State

REQUEST = Request(bytes, b"remotejobs 1 begin 00", b"remotejobs end 00", 10**6)
FIELDS = st.sampled_from([b"job", b"state", b"rc", b"pid", b"delta", b"error", b"blob stdout", b"label", b"protocol"])


def records(body: bytes, *, noise: bytes = b"") -> list[Record | RemoteJobsError]:
    """All that an answer of that body says."""
    stdout = noise + b"\n" + REQUEST.begin + b"\n" + body + REQUEST.end + b"\n"
    sections = Response("h", REQUEST, stdout, b"").sections()
    return [protocol.error_of("h", section) or protocol.record_of("h", section, "") for section in sections]


@given(st.binary(max_size=300))
def test_bytes_that_are_no_answer_are_damaged(stdout: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Response("h", REQUEST, stdout, b"").sections())


@given(st.lists(st.tuples(FIELDS, st.binary(max_size=20)), max_size=8))
def test_any_body_is_understood_or_damaged(lines: list[tuple[bytes, bytes]]) -> None:
    try:
        records(b"".join(key + b" " + value + b"\n" for key, value in lines))
    except RemoteJobsError:
        return


@given(
    st.binary(max_size=200),
    st.binary(max_size=200),
    st.binary(max_size=50).filter(lambda noise: b"remotejobs" not in noise),
)
def test_output_of_any_bytes_comes_back_whatever_is_printed_before(out: bytes, err: bytes, noise: bytes) -> None:
    blobs = b"".join(
        b"blob %s %d 0 %d\n%s\n" % (name, len(text), len(text), text)
        for name, text in ((b"stdout", out), (b"stderr", err))
    )
    (record,) = records(b"job j\nstate failed\nrc 3\n" + blobs, noise=noise)
    assert isinstance(record, Record)
    assert (record.stdout, record.stderr, record.rc, record.state) == (out, err, 3, State.FAILED)


@pytest.mark.parametrize(
    "body",
    [
        b"job j\n",
        b"job j\nstate happy\n",
        b"job j\nstate failed\nrc three\n",
        b"job j\nstate failed\nrc 1_0\n",
        "job j\nstate failed\nrc \u0663\n".encode(),
        b"job ../../x\nstate failed\n",
        b"job j\nstate failed\ndelta nan\n",
        b"job j\nstate failed\nrc " + b"9" * 5000 + b"\n",
        b"job j\nstate failed\nend yesterday\n",
        b"job j\nstate failed\nend 2026-13-01T00:00:00Z\n",
        b"job j\nstate running\nprotocol 2\n",
        b"job j\nstate failed\nblob stdout 9 0 9\nshort\n",
        b"state failed\n",
        b"job j\nstate failed",
    ],
)
def test_a_record_with_anything_odd_is_damaged(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        records(body)


def test_errors_of_unknown_kind_are_damaged_and_known_ones_are_named() -> None:
    (odd, taken) = records(b"job a\nerror strange words\njob b\nerror job_exists x\nblob cmd 3 0 3\nfoo\n")
    assert isinstance(odd, ProtocolError)
    assert isinstance(taken, RemoteJobsError)
    section = next(
        Response(
            "h", REQUEST, b"\n%s\nerror job_exists x\nblob cmd 3 0 3\nfoo\n%s\n" % (REQUEST.begin, REQUEST.end), b""
        ).sections("b")
    )
    assert isinstance(error := protocol.error_of("h", section, Job(jid="b", cmd="bar")), JobExists)
    assert "'foo'" in str(error)
    assert "'bar'" in str(error)


@given(st.text(min_size=1).filter(lambda text: text.strip() and "\0" not in text and text.isprintable()))
def test_a_request_is_one_shell_text_whose_words_are_data(cmd: str) -> None:
    script = request.start(Job(jid="j", cmd=cmd), "/d").script.decode()
    call = next(line for line in script.split("\n") if line.startswith("rj_start /d"))
    assert shlex.split(script[script.index(call) :].rsplit("\nrj_close", 1)[0])[3] == cmd


def test_every_request_parses_as_posix_shell_and_carries_a_nonce_of_its_own() -> None:
    makers: list[Callable[[], Request]] = [
        lambda: request.start(Job(jid="j", cmd="it's"), ""),
        lambda: request.status([Read("a"), Read("b")], "/d", 5),
        lambda: request.kill("a", "/d", 3),
        lambda: request.list_jobs("/d"),
        lambda: request.clean("/d", 60, 3, True),
    ]
    for make in makers:
        first, second = make(), make()
        assert first.end != second.end
        subprocess.run(["dash", "-n"], input=first.script, check=True)


_FUNCTION = re.compile(r"^(rj_\w+)\(\) \{(.*?)(?=^rj_\w+\(\)|\Z)", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("job", [Job(jid="j", cmd="true"), Job(jid="j", cmd="true", locks=("l",), launcher="pidns")])
def test_a_start_calls_no_function_that_is_sent_for_later_before_it_has_read_it(job: Job) -> None:
    script = request.start(job, "").script.decode()
    parts = re.findall(r"^rj_(\w+)=('.*?')\n\}\n(?=\{\n(?:rj_\w+='|eval))", script, re.MULTILINE | re.DOTALL)
    sent = {name: shlex.split(text)[0] for name, text in parts}
    sent["first"] = script[script.index('\neval "$rj_rest"\n') :]
    # What a function of each part can call: the head and the rest are also run by the reaper, which has no more. What
    # ends a tree is read where the end of a job has been read.
    known = {
        "head": {"head"},
        "rest": {"head", "rest"},
        "over": {"head", "rest", "over"},
        "ends": {"head", "rest", "over", "ends"},
        "first": {"head", "rest", "first"},
        "more": {"head", "rest", "over", "first", "more"},
    }
    reads = {"RJ_REST": {"rest", "over"}, "rj_over": {"over"}, "rj_more": {"over", "more"}, "rj_ends": {"ends"}}
    functions = {part: dict(_FUNCTION.findall(sent[part])) for part in known}
    calls = 0
    for part, bodies in functions.items():
        for name, body in bodies.items():
            there = known[part].union(*(more for text, more in reads.items() if text in body))
            called = set(re.findall(r"\brj_\w+", body)).intersection(*[set().union(*functions.values())])
            assert called <= set().union(*(functions[one] for one in there)), name
            calls += len(called)
    assert calls > 200


def test_a_request_says_how_long_it_is_to_a_shell_that_reads_it_at_once() -> None:
    for script in (request.start(Job(jid="j", cmd="echo ä"), "").script, request.list_jobs("").script):
        head = re.search(rb"read -rN (\d+) .*?\n\}\n", script, re.DOTALL)
        assert head and int(head[1]) == len(script) - head.end()


@given(
    st.dictionaries(st.from_regex(r"[A-Z]{1,5}", fullmatch=True), st.text(max_size=5).filter(lambda v: "\0" not in v))
)
def test_settings_differ_where_anything_that_runs_differs(env: dict[str, str]) -> None:
    same = request.settings_of(Job(jid="a", cmd="x", env=env, label="l", timeout=3))
    assert same == request.settings_of(Job(jid="b", cmd="x", env=env))
    assert same != request.settings_of(Job(jid="a", cmd="y", env=env))
    assert same != request.settings_of(Job(jid="a", cmd="x", env={**env, "OTHER_": "1"}))
    assert same != request.settings_of(Job(jid="a", cmd="x", env=env, interpreter="bash"))
    assert same != request.settings_of(Job(jid="a", cmd="x", env=env, chdir="/"))


def test_a_login_that_echoes_what_it_is_sent_does_not_bring_secrets_into_the_error() -> None:
    asked = request.start(Job(jid="j", cmd="true", env={"DB_PASSWORD": "hunter2-secret"}), "/d")
    with pytest.raises(ProtocolError) as damaged:
        Response("h", asked, b"", b"% Unknown command: DB_PASSWORD=hunter2-secret rj_close\nuse help")
    assert "use help" in str(damaged.value)
    assert "hunter2" not in str(damaged.value)


def test_control_characters_of_a_host_reach_nobody() -> None:
    (error, record) = records(b"job a\nerror no_such_job \x1b[2Jgone\njob b\nstate lost\nmsg \x1b]0;x\x07\n")
    assert isinstance(record, Record)
    assert "\x1b" not in f"{error}{record.msg}"

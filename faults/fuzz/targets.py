"""All that reads what others wrote, and random words for it: valid ones that were changed, and pieces put together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import ValidationError

from faults.network.transports import FaultHost
from remotejobs.agent import request
from remotejobs.agent import response as protocol
from remotejobs.agent.request import Request
from remotejobs.agent.response import Response
from remotejobs.agent.shell import Shell
from remotejobs.connections.base import Become, Question, Reply
from remotejobs.connections.become import READY
from remotejobs.connections.exchange import Exchange
from remotejobs.connections.ssh.config.arguments import parse as parse_options
from remotejobs.connections.ssh.host_keys.known_hosts import parse as parse_known_hosts
from remotejobs.connections.ssh.resolve import resolve
from remotejobs.errors import RemoteJobsError, UsageError
from remotejobs.inventory import Inventory, load_inventory
from remotejobs.model import JID, Job, Record
from remotejobs.operations.backup import BackupPlan
from remotejobs.operations.balancers.haproxy_words import parse as parse_haproxy
from remotejobs.operations.balancers.http import HttpBalancer, status_of
from remotejobs.text import visible

_REQUEST = Request(bytes, b"remotejobs 1 begin 00", b"remotejobs end 00", 10**6)


@dataclass(frozen=True, slots=True)
class FuzzTarget:
    """`read` is given what `words` draws, and may raise the `documented` errors only."""

    words: SearchStrategy[Any]
    read: Callable[[Any], object]
    documented: tuple[type[Exception], ...]


def _mutations(valid: bytes) -> SearchStrategy[bytes]:
    """`valid` with some of it cut out, doubled, or replaced."""
    places = st.integers(0, len(valid))
    edits = st.lists(st.tuples(places, st.integers(0, 20), st.binary(max_size=8)), min_size=1, max_size=5)

    def edited(changes: list[tuple[int, int, bytes]]) -> bytes:
        text = valid
        for place, length, new in changes:
            text = text[:place] + new + text[place + length :]
        return text

    return edits.map(edited)


_FIELDS = [b"job", b"state", b"rc", b"pid", b"delta", b"error", b"label", b"protocol", b"signal", b"attached", b"end"]
_VALUES = st.sampled_from([b"a", b"running", b"succeeded", b"0", b"-1", b"1e9", b"job_exists x", b""]) | st.binary(
    max_size=12
)
_LINES = st.lists(st.tuples(st.sampled_from(_FIELDS), _VALUES).map(b" ".join), max_size=9).map(b"\n".join)
_ANSWER = (
    b"job a\nresults_dir /h/a\nstate failed\nrc 3\nsignal \nlabel l\nstart 2026-01-01T00:00:00Z\nend \ndelta 1.25\n"
    b"pid 7\nmsg m\nsurvivors \ncause \nprotocol 1\nblob cmd 4 0 4\ntrue\nblob stderr 0 0 0\n\nblob stdout 3 0 3\nout\n"
)


def _answer(body: bytes) -> None:
    stdout = b"\n" + _REQUEST.begin + b"\n" + body + _REQUEST.end + b"\n"
    for section in Response("h", _REQUEST, stdout, b"").sections():
        error = protocol.error_of("h", section)
        said = protocol.record_of("h", section, "") if error is None else error
        if isinstance(said, Record):
            assert JID.fullmatch(said.jid)
        else:
            assert str(said) == visible(str(said))


class _Said:
    """A host that answers the same to everything, in a perfect frame."""

    def __init__(self, body: bytes) -> None:
        self.host = "h"
        self._body = body

    def ask(self, question: Question) -> Reply:
        begin = question.end.replace(b" end ", b" begin ")
        return Reply(b"\n" + begin + self._body + question.end, b"", complete=True)

    def close(self) -> None:
        """Nothing is open."""


def _exchange(pieces: list[tuple[bool, bytes]]) -> None:
    exchange = Exchange("h", Question(b"script", end=b"end\n", timeout=1, max_bytes=200, become=Become("u", "p")))
    exchange.opening()
    for out, data in pieces:
        (exchange.take_stdout if out else exchange.take_stderr)(data)
    exchange.reply()


def _inventory(text: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hosts.yml"
        path.write_bytes(text)
        for host in load_inventory(path).hosts.values():
            dict(host.variables)
            resolve(host)


@cache
def _hosts() -> Inventory:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hosts.yml"
        path.write_text('all: {hosts: {"web[1:9]": , db1: }, children: {web: {hosts: {"web[1:4]": }}}}')
        return load_inventory(path)


_INVENTORY = b"""all:
  vars: {ansible_user: "{{ lookup('env', 'USER') }}", port: 22}
  children:
    web:
      hosts: {"web[01:03].example": {ansible_port: "{{ port + 1 }}"}, db1: &a {ansible_host: 127.0.0.1}}
      vars: {ansible_ssh_common_args: "-o ProxyJump=jump -C", x: "{{ groups['web'] | join(',') }}"}
"""
_PIECES_OF_TEMPLATES = """{{
}}
{%
%}
a
''
.
__class__
|
attr(
'x'
)
[
]
lipsum
range(
9
**
~
cycler
mro()
map(
groups
lookup('file',"""
_PIECES_OF_OPTIONS = """-o
-oPort=
ProxyCommand=
Port=22
-p
22
-J
a,b
-i
~
'
"
--
-F
none
User=-x
$(id)
-4C
%h
ProxyJump=u@[::1]:2"""
_WORDS = ["web1", "web*", "~we.", "all", "db1", "web[0]", "web[1:2]", "!", "&", ":", ",", "@", "[", "]", "/", "*", "~("]
# Pieces of templates and of options, one a line.
_TEMPLATES = st.lists(st.sampled_from(_PIECES_OF_TEMPLATES.splitlines()), max_size=9).map(
    lambda words: f'all: {{hosts: {{h: {{x: !!str "{"".join(words)}"}}}}}}'.encode()
)
_OPTIONS = st.lists(st.sampled_from(_PIECES_OF_OPTIONS.splitlines()) | st.text(max_size=6), max_size=6).map(" ".join)
_VARIABLES = st.dictionaries(
    st.sampled_from(
        [
            "ansible_host",
            "ansible_port",
            "ansible_user",
            "ansible_ssh_common_args",
            "ansible_timeout",
            "ansible_password",
        ]
    ),
    st.text(max_size=10) | st.integers() | st.sampled_from(["-oProxyCommand=x", "a b", "$(id)", "::1", "%h", "root"]),
)
_ODD_FIELDS = st.dictionaries(
    st.sampled_from(
        ["name", "hosts", "database", "paths", "base", "command", "extension", "timeout", "exclude", "restore_on"]
    ),
    st.text(max_size=8) | st.integers(-3, 9) | st.lists(st.text(max_size=4), max_size=2),
    max_size=2,
)
_ITEMS: Mapping[str, Mapping[str, object]] = {
    "databases": {"name": "shop", "hosts": "db1", "database": "shop"},
    "files": {"name": "etc", "hosts": "all", "base": "/", "paths": ["etc"]},
    "commands": {"name": "redis", "hosts": "web*", "command": "redis-cli --rdb -"},
}


def _items(kind: str) -> SearchStrategy[object]:
    """Up to two items, some with odd fields over the good ones."""
    return st.lists(_ODD_FIELDS.map(lambda odd: {**_ITEMS[kind], **odd}), max_size=2) | st.text(max_size=5)


_PLANS = st.fixed_dictionaries(
    {},
    optional={
        **{kind: _items(kind) for kind in _ITEMS},
        "directory": st.text(max_size=5),
        "must_be_mount": st.text(max_size=5),
    },
)
_JOBS = st.tuples(
    st.just("job-1") | st.text(max_size=12),
    st.just("true") | st.text(max_size=12),
    st.sampled_from(["", "/"]) | st.text(max_size=12).map("/{}".format) | st.text(max_size=12),
    st.dictionaries(st.sampled_from(["A", "PATH", "rj_dir"]) | st.text(max_size=4), st.text(max_size=4), max_size=2),
)
_ENDS = st.sampled_from([b"\n0\n", b"\n137\n", b"\n0", b"0\n", b"\n-1\n", b""])
_WEB = HttpBalancer(remove="http://h/r", add="http://h/a", status="http://h/s", connections=r"n=(\w+)|x")
_HAPROXY = (
    b"# pxname,svname,qcur,scur,status,weight,bck,\napp,web1,0,1,UP,1,0,\n\n1\n"
    b"# be_id be_name srv_id srv_name srv_admin_state srv_uweight srv_iweight srv_agent_state\n1 app 1 web1 0 1 1 0\n"
)


def _job(parts: tuple[str, str, str, dict[str, str]]) -> None:
    jid, cmd, chdir, env = parts
    request.start(Job(jid=jid, cmd=cmd, chdir=chdir, label=chdir, env=env), "/d")


TARGETS: Mapping[str, FuzzTarget] = {
    "answers": FuzzTarget(_LINES | _mutations(_ANSWER), _answer, (RemoteJobsError,)),
    "answers of a shell": FuzzTarget(
        st.tuples(st.binary(max_size=40), _ENDS).map(b"".join),
        lambda body: Shell(_Said(body)).run("x"),
        (RemoteJobsError,),
    ),
    "exchanges": FuzzTarget(
        st.lists(
            st.tuples(st.booleans(), st.sampled_from([READY, b"remotejobs-", b"ready\n", b"end\n"]) | st.binary())
        ),
        _exchange,
        (RemoteJobsError,),
    ),
    "inventories": FuzzTarget(_mutations(_INVENTORY) | _TEMPLATES, _inventory, (UsageError,)),
    "patterns": FuzzTarget(
        st.lists(st.sampled_from(_WORDS) | st.text(max_size=3), max_size=6).map("".join),
        lambda pattern: _hosts().select(pattern),
        (UsageError,),
    ),
    "ssh options": FuzzTarget(_OPTIONS, lambda line: parse_options(line, "place"), (UsageError,)),
    "ssh variables": FuzzTarget(_VARIABLES, lambda variables: resolve(FaultHost("h", variables)), (UsageError,)),
    "known_hosts": FuzzTarget(
        _mutations(b"@revoked [h]:22,x* ssh-ed25519 AAAA\n|1|aaaa|bbbb ssh-rsa AAAA c\n"),
        lambda text: [key.is_for("h") for key in parse_known_hosts(text.decode("utf-8", "replace"), Path("k"))],
        (),
    ),
    "jobs": FuzzTarget(_JOBS, _job, (UsageError,)),
    "backup plans": FuzzTarget(_PLANS, BackupPlan.model_validate, (ValidationError,)),
    "a web balancer's answers": FuzzTarget(
        st.text(alphabet="n=x109²٣ a", max_size=9), lambda body: status_of(_WEB, body), ()
    ),
    "HAProxy's answers": FuzzTarget(
        _mutations(_HAPROXY).map(lambda text: text.decode("utf-8", "replace")), parse_haproxy, (ValueError,)
    ),
}

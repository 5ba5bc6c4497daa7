from __future__ import annotations

import hashlib
from pathlib import Path

from tests.cli.conftest import Hosts
from tests.cli.running import begin, remotejobs

NOISE = "head -c 700000 /dev/urandom"  # more than one chunk


def raw(hosts: Hosts, *words: str) -> bytes:
    ended = remotejobs("log", hosts.names[0], *words, "-i", str(hosts.inventory))
    assert ended.code == 0, ended.err
    return ended.raw


def test_the_log_of_one_host_is_the_very_bytes(hosts: Hosts) -> None:
    hosts.call(
        "run",
        "-l",
        hosts.names[0],
        "--jid",
        "noise",
        "--",
        f"{NOISE} | tee copy.$$ | sha256sum >&2; cat copy.$$; rm copy.$$",
    )
    said = raw(hosts, "noise", "--stderr").split()[0].decode()

    assert hashlib.sha256(raw(hosts, "noise")).hexdigest() == said


def test_following_brings_every_byte_once_while_the_job_writes_and_ends_with_it(hosts: Hosts, tmp_path: Path) -> None:
    go, name = tmp_path / "go", hosts.names[0]
    command = f"seq 1000; until [ -e {go} ]; do sleep 0.1; done; seq 1001 60000; printf end"
    hosts.call("run", "-l", name, "-P", "0", "--jid", "count", "--", command)
    following = begin("log", name, "count", "--follow", "-i", str(hosts.inventory))
    assert following.stdout
    first = [following.stdout.readline() for _ in range(1000)]  # they come while the job waits for us
    go.touch()
    rest, err = following.communicate(timeout=60)

    assert "".join(first) + rest == "".join(f"{number}\n" for number in range(1, 60001)) + "end"
    assert following.returncode == 0
    assert "succeeded  rc=0" in err


def test_without_follow_the_log_ends_where_the_output_ends_now(local_hosts: Hosts) -> None:
    local_hosts.call("run", "-P", "0", "--jid", "half", "--", "echo half; sleep 60")
    ended = local_hosts.call("log", "half", "-l", "here")
    local_hosts.call("kill", "half")

    assert (ended.code, ended.out) == (0, "half\n")


def test_a_tail_is_the_last_lines_whole(local_hosts: Hosts) -> None:
    long = 300_000  # a line of more than one chunk
    command = f"echo one; head -c {long} /dev/zero | tr '\\0' x; echo; echo; printf end; echo error >&2"
    local_hosts.call("run", "-l", "here", "--jid", "tail", "--", command)
    tails = [raw(local_hosts, "tail", "--tail", str(number)) for number in (1, 2, 3, 4, 99)]

    whole = [b"one\n", b"x" * long + b"\n", b"\n", b"end"]
    assert tails == [b"".join(whole[-number:]) for number in (1, 2, 3, 4, 99)]
    assert raw(local_hosts, "tail", "--tail", "2", "--stderr") == b"error\n"


def test_a_tail_of_lines_that_are_ended_counts_no_empty_last_one(local_hosts: Hosts) -> None:
    local_hosts.call("run", "-l", "here", "--jid", "ended", "--", "seq 100000")

    assert raw(local_hosts, "ended", "--tail", "3") == b"99998\n99999\n100000\n"
    assert len(raw(local_hosts, "ended", "--tail", "90000").splitlines()) == 90000


def test_following_a_tail_goes_on_to_the_end(local_hosts: Hosts, tmp_path: Path) -> None:
    go = tmp_path / "go"
    command = f"seq 1000; until [ -e {go} ]; do sleep 0.1; done; seq 1001 2000"
    local_hosts.call("run", "-l", "here", "-P", "0", "--jid", "on", "--", command)
    while "1000" not in local_hosts.call("status", "on", "-l", "here").out:
        pass
    following = begin("log", "here", "on", "--follow", "--tail", "2", "-i", str(local_hosts.inventory))
    assert following.stdout
    first = [following.stdout.readline() for _ in range(2)]
    go.touch()
    rest, _ = following.communicate(timeout=60)

    assert first == ["999\n", "1000\n"]
    assert rest == "".join(f"{number}\n" for number in range(1001, 2001))


def test_lines_of_many_hosts_carry_the_host_in_front(hosts: Hosts) -> None:
    hosts.call("run", "--jid", "lines", "--", "echo one; printf two")
    ended = hosts.call("log", "lines")

    width = max(map(len, hosts.names))
    expected = [f"{name.ljust(width)} | {line}" for name in hosts.names for line in ("one", "two")]
    assert sorted(ended.out.splitlines()) == sorted(expected)


def test_a_job_that_is_not_there_is_an_error_beside_the_log_of_the_others(local_hosts: Hosts) -> None:
    local_hosts.call("run", "-l", "here", "--jid", "only", "--", "echo present")
    ended = local_hosts.call("log", "only")

    assert ended.code == 2
    assert ended.out == "here | present\n"
    assert "error: too: job only: " in ended.err


def test_a_reader_who_leaves_early_gets_no_traceback(local_hosts: Hosts) -> None:
    local_hosts.call("run", "-l", "here", "--jid", "much", "--", "yes | head -c 3000000")
    following = begin("log", "here", "much", "-i", str(local_hosts.inventory))
    assert following.stdout
    assert following.stderr
    following.stdout.readline()
    following.stdout.close()

    assert following.stderr.read() == ""
    assert following.wait(60) == 141
    following.stderr.close()

"""`wait --any` and `wait --count N`."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Hosts

ENDS_HERE_ALONE = "case $REMOTEJOBS_DIR in */here/*) exit 3 ;; *) exec sleep 600 ;; esac"


@pytest.mark.parametrize("words", [["--any"], ["--count", "1"]])
def test_the_first_end_is_enough_and_the_others_run_on(local_hosts: Hosts, words: list[str]) -> None:
    local_hosts.call("run", "-P", "0", "--jid", "j", "--", ENDS_HERE_ALONE)
    ended = local_hosts.call_in_a_process("wait", "j", *words)
    assert ended.code == 2
    assert "here  failed       rc=3" in ended.out
    assert "1 host not awaited: remotejobs status all j" in ended.out
    as_json = local_hosts.call_in_a_process("wait", "j", "--json", *words)
    assert [(one["host"], one["rc"]) for one in as_json.objects] == [("here", 3)]
    states = {one["host"]: one["state"] for one in local_hosts.call("kill", "j", "--json").objects}
    assert states == {"here": "failed", "too": "killed"}


def test_all_ends_are_awaited_when_as_many_are_asked_for(local_hosts: Hosts) -> None:
    local_hosts.call("run", "-P", "0", "--jid", "j", "--", "true")
    ended = local_hosts.call_in_a_process("wait", "j", "--count", "2")
    assert ended.code == 0
    assert "2 hosts: 2 succeeded" in ended.out
    assert "not awaited" not in ended.out


def test_an_unreachable_host_is_not_counted_as_ended(one_is_gone: Hosts) -> None:
    one_is_gone.call("run", "-P", "0", "--jid", "j", "--", "true")
    assert one_is_gone.call_in_a_process("wait", "j", "--any").code == 0
    assert one_is_gone.call_in_a_process("wait", "j", "--count", "2").code == 4


def test_more_ends_than_hosts_are_bad_use(local_hosts: Hosts) -> None:
    ended = local_hosts.call("wait", "j", "--count", "3")
    assert ended.code == 1
    assert "--count is 3. The pattern names 2 hosts." in ended.err

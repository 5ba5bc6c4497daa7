"""status, wait, kill, list, clean, hosts: what is done with jobs that were started before."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import signal
from pathlib import Path

from lab.job_files import fields_of
from tests.cli.conftest import Hosts
from tests.cli.running import begin, remotejobs

SLEEPER = ["run", "-P", "0", "--jid", "sleeper", "--label", "long sleep", "--", "echo asleep; sleep 60"]


def test_status_polls_once_and_shows_every_host_in_the_order_of_the_inventory(hosts: Hosts) -> None:
    hosts.call("run", "--jid", "quick", "--", "exit 5")
    ended = hosts.call("status", "quick")

    assert ended.code == 2
    assert [line.split()[:3] for line in ended.out.splitlines()] == [
        ["host", "state", "rc"],
        *([name, "failed", "5"] for name in hosts.names),
    ]


def test_a_running_job_has_not_failed(hosts: Hosts) -> None:
    hosts.call(*SLEEPER)
    ended = hosts.call("status", "sleeper")
    hosts.call("kill", "sleeper")

    assert ended.code == 0
    assert ended.out.count("running") == len(hosts.names)


def test_an_unknown_job_is_an_error_with_a_remedy_and_no_traceback(hosts: Hosts) -> None:
    ended = hosts.call("status", "nothing-here")

    assert ended.code == 2
    assert "does not exist" in ended.out
    assert "`remotejobs list` shows the jobs there" in ended.out
    assert ended.err == ""


def test_wait_ends_when_the_job_has_ended_on_every_host(hosts: Hosts) -> None:
    hosts.call("run", "-P", "0", "--jid", "brief", "--", "sleep 1; echo woken")
    ended = hosts.call("wait", "brief", "-P", "60")

    assert ended.code == 0
    assert ended.out.count("    woken\n") == len(hosts.names)


def test_kill_shows_the_proof_and_can_be_repeated(hosts: Hosts) -> None:
    hosts.call(*SLEEPER)
    first, second = hosts.call("kill", "sleeper"), hosts.call("kill", "sleeper", "--json")

    assert first.code == 0
    assert "had ended" not in first.out
    for name in hosts.names:
        assert f"{name.ljust(max(map(len, hosts.names)))}  killed       rc=143" in first.out
    assert "killed on request; its process tree is proven empty" in first.out
    assert "asleep" not in first.out
    assert second.code == 0
    assert {found["state"] for found in second.objects} == {"killed"}


def test_killing_what_has_ended_is_no_failure_and_changes_nothing(local_hosts: Hosts) -> None:
    local_hosts.call("run", "--jid", "over", "--", "exit 5")
    ended, as_json = local_hosts.call("kill", "over"), local_hosts.call("kill", "over", "--json")

    assert (ended.code, as_json.code) == (0, 0)
    assert len(re.findall(r"^\w+ +failed +rc=5 .*  had ended before$", ended.out, re.MULTILINE)) == 2
    assert [(found["state"], found["rc"], found["changed"]) for found in as_json.objects] == [("failed", 5, False)] * 2


def test_a_lost_job_whose_command_still_runs_is_shown_with_the_command_that_ends_it(
    local_hosts: Hosts, tmp_path: Path
) -> None:
    local_hosts.call("run", "-l", "here", "-P", "0", "--jid", "orphan", "--", "sleep 60")
    fields = fields_of(tmp_path / "here" / "orphan")
    for name in ("supervisor", "reaper"):
        os.kill(int(fields[name].split()[0]), signal.SIGKILL)
    remedy = f"End it: remotejobs kill here orphan -i {local_hosts.inventory}\n"
    shown = [
        local_hosts.call(*words, "-l", "here").out for words in (["status", "orphan"], ["wait", "orphan"], ["list"])
    ]
    killed = remotejobs(*shlex.split(remedy)[3:])

    assert [remedy in seen for seen in shown] == [True] * 3
    assert killed.code == 0
    assert "killed on request after its supervising process was gone; no process of it was found" in killed.out
    assert "before" not in killed.out


def test_list_shows_the_jobs_of_each_host_newest_first(hosts: Hosts) -> None:
    hosts.call("run", "--jid", "older", "--", "sleep 1.1")
    hosts.call(*SLEEPER)
    ended, as_json = hosts.call("list"), hosts.call("list", "--json")
    hosts.call("kill", "sleeper")
    number = len(hosts.names)

    assert ended.code == 0
    head, *rows, summary = [line.split() for line in ended.out.splitlines()]
    assert head == ["host", "jid", "state", "label", "start", "time", "rc", "msg"]
    expected = [(name, jid) for name in hosts.names for jid in ("sleeper", "older")]
    assert [(row[0], row[1]) for row in rows] == expected
    assert [(found["host"], found["jid"]) for found in as_json.objects] == expected
    assert summary == f"{2 * number} jobs on {number} hosts: {number} running, {number} succeeded".split()


def test_a_job_without_a_label_is_listed_with_the_beginning_of_its_command(local_hosts: Hosts) -> None:
    command = "echo one\necho\ttwo; printf '\033[31mthree'; echo four"
    local_hosts.call("run", "-l", "here", "--jid", "unnamed", "--", command)
    local_hosts.call("run", "-l", "too", "--jid", "named", "--label", "long sleep", "--", "true")
    labels = {found["jid"]: found["label"] for found in local_hosts.call("list", "--json").objects}

    assert labels == {"unnamed": r"echo one echo two; printf '\x1b[31mthree", "named": "long sleep"}
    assert "  long sleep  " in local_hosts.call("list").out


def test_list_shows_the_directories_of_the_jobs_where_it_is_to_be_verbose(local_hosts: Hosts, tmp_path: Path) -> None:
    local_hosts.call("run", "--jid", "somewhere", "--", "true")
    ended = local_hosts.call("list", "-v")

    assert [line.split()[-1] for line in ended.out.splitlines()[1:-1]] == [
        str(tmp_path / name / "somewhere") for name in local_hosts.names
    ]


def test_list_without_jobs_says_so_and_prints_nothing(local_hosts: Hosts) -> None:
    ended = local_hosts.call("list")

    assert (ended.code, ended.out) == (0, "")
    assert "no jobs there" in ended.err


def test_an_unreachable_host_does_not_hide_the_jobs_of_the_others(one_is_gone: Hosts) -> None:
    one_is_gone.call("run", "--jid", "seen", "--", "true")
    ended = one_is_gone.call("list")

    assert ended.code == 4
    assert ended.out.splitlines()[1].split()[:2] == ["here", "seen"]
    assert "error: gone: nothing listens" in ended.err


def test_clean_removes_what_ended_keeps_what_runs_and_reports_it(hosts: Hosts) -> None:
    number = len(hosts.names)
    hosts.call("run", "--jid", "ended", "--", "true")
    hosts.call("run", "--jid", "newer", "--", "sleep 2.1")  # by its end the first is a whole second old
    hosts.call(*SLEEPER)
    young, newest = hosts.call("clean"), hosts.call("clean", "--older-than", "0", "--keep", "2", "--dry-run")
    rehearsal = hosts.call("clean", "--older-than", "1", "--keep", "1", "--dry-run")
    before = {found["jid"] for found in hosts.call("list", "--json").objects}
    cleaned = hosts.call("clean", "--older-than", "1", "--keep", "1")
    after = {found["jid"] for found in hosts.call("list", "--json").objects}
    hosts.call("kill", "sleeper")

    assert young.out == f"0 jobs removed ({number} still run, {2 * number} ended less than 1 day ago)\n"
    assert newest.out == f"0 jobs would be removed ({number} still run, {2 * number} kept as the newest)\n"
    assert rehearsal.out.splitlines()[-1] == f"{number} jobs would be removed"
    assert before == {"ended", "newer", "sleeper"}
    assert cleaned.code == 0
    assert cleaned.out.splitlines()[-1] == f"{number} jobs removed"
    assert cleaned.out.count(" ended ") == number
    assert after == {"newer", "sleeper"}


def test_clean_says_that_there_was_nothing_to_remove(local_hosts: Hosts) -> None:
    assert local_hosts.call("clean").out == "0 jobs removed (there are none)\n"
    assert local_hosts.call("clean", "--json").out == ""


def test_hosts_shows_addresses_and_groups_without_asking_anybody(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        """
        web: {hosts: {web1: {ansible_host: 192.0.2.7, ansible_port: 2222, ansible_user: admin}, 'web2': {}}}
        v6: {hosts: {six: {ansible_host: '2001:db8::1', ansible_ssh_port: 22}, me: {ansible_connection: local}}}
        """
    )
    me = pwd.getpwuid(os.getuid()).pw_name
    ended = remotejobs("hosts", "all", "-i", str(inventory))
    as_json = remotejobs("hosts", "web", "-l", "web1", "--json", "-i", str(inventory))

    assert ended.code == 0
    assert [line.split() for line in ended.out.splitlines()] == [
        ["host", "address", "groups"],
        ["web1", "admin@192.0.2.7:2222", "web"],
        ["web2", f"{me}@web2:22", "web"],
        ["six", f"{me}@[2001:db8::1]:22", "v6"],
        ["me", "local", "v6"],
    ]
    assert [(found["host"], found["groups"]) for found in as_json.objects] == [("web1", ["web"])]


def test_hosts_explains_where_each_setting_came_from(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host db1\n  HostName 10.0.0.7\n")
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(f"all: {{hosts: {{db1: {{ansible_ssh_user: me, ansible_ssh_args: -F {config}}}}}}}")
    ended = remotejobs("hosts", "db1", "--explain", "-i", str(inventory))
    rows = remotejobs("hosts", "db1", "--explain", "--json", "-i", str(inventory)).objects

    assert [line.split() for line in ended.out.splitlines()][:2] == [
        ["host", "hop", "setting", "value", "from"],
        ["db1", "db1", "HostName", "10.0.0.7", f"{config}:2"],
    ]
    assert {"host": "db1", "hop": "db1", "setting": "User", "value": "me", "place": "db1: ansible_ssh_user"} in rows


def test_the_inventory_is_taken_from_the_environment_and_then_from_its_usual_place(
    local_hosts: Hosts, tmp_path: Path
) -> None:
    named = remotejobs("hosts", "here", "--json", REMOTEJOBS_INVENTORY=str(local_hosts.inventory))

    assert [found["host"] for found in named.objects] == ["here"]


def test_a_job_that_was_queued_for_too_long_is_reported_as_timed_out_and_not_as_started(local_hosts: Hosts) -> None:
    words = ["-l", "here", "--lock", "apt"]
    assert local_hosts.call("run", *words, "-P", "0", "--jid", "first", "--", "sleep 600").code == 0
    ended = local_hosts.call("run", *words, "--queue-timeout", "1s", "--jid", "second", "--", "echo its turn")
    assert ended.code == 2
    assert re.search(
        r"here +timed_out .* queue timeout of 1 s exceeded: it waited for lock apt, held by first; the", ended.out
    )
    (reported,) = local_hosts.call("status", "second", "-l", "here", "--json").objects
    assert (reported["state"], reported["started"], reported["finished"], reported["start"]) == (
        "timed_out",
        False,
        True,
        None,
    )
    assert local_hosts.call("kill", "first", "-l", "here").code == 0


def test_a_queued_job_is_shown_with_what_it_waits_for_until_its_turn_comes(local_hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()
    go = tmp_path / "go"
    os.mkfifo(go)
    words = ["-l", "here", "--lock", "db:orders"]
    assert local_hosts.call("run", *words, "-P", "0", "--jid", "first", "--", f"read -r _ <{go}").code == 0
    ended = local_hosts.call("run", *words, "-P", "0", "--jid", "second", "--slots", "2", "--", "echo its turn")
    why = "waits for lock db:orders, held by first; number 1 in line"
    assert ended.code == 0
    assert f"here  queued       {why}" in ended.out
    assert re.search(rf"here +queued +\d+\.\ds +{why}", local_hosts.call("status", "-l", "here", "second").out)
    (reported,) = local_hosts.call("status", "second", "-l", "here", "--json").objects
    assert (reported["state"], reported["started"], reported["finished"], reported["start"]) == (
        "queued",
        False,
        False,
        None,
    )
    waiting = begin("wait", "all", "second", "-i", str(local_hosts.inventory), "-l", "here")
    go.write_text("\n")
    out, err = waiting.communicate(timeout=60)
    assert (waiting.returncode, "its turn" in out) == (0, True), err

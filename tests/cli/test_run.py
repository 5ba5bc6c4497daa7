from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.cli.conftest import Hosts, written
from tests.cli.running import remotejobs

NAMES = {
    "jid", "host", "label", "cmd", "state", "rc", "signal", "start", "end", "delta", "stdout", "stderr", "pid", "msg",
    "results_dir", "become_user", "protocol", "started", "finished", "changed",
}  # fmt: skip


def test_a_command_that_succeeds_everywhere_shows_its_output_and_exits_0(hosts: Hosts) -> None:
    ended = hosts.call("run", "--", "echo", "hello", "$((40 + 2))")

    assert ended.code == 0, ended.err
    assert ended.out.count("    hello 42\n") == len(hosts.names)
    for name in hosts.names:
        assert re.search(rf"^{name} +succeeded +rc=0  \d+\.\ds$", ended.out, re.MULTILINE)
    assert f"{len(hosts.names)} hosts: {len(hosts.names)} succeeded" in ended.out


def test_a_command_that_fails_shows_the_last_lines_that_it_wrote_and_exits_2(local_hosts: Hosts) -> None:
    ended = local_hosts.call("run", "--jid", "bad", "--", "seq 9 >&2; seq 71 79; exit 3")

    assert ended.code == 2
    assert "failed       rc=3" in ended.out
    for host in local_hosts.names:
        log, where = f"  All of it: remotejobs log {host} bad", f"-i {local_hosts.inventory}"
        lines = [
            *("  stdout, the last 5 of 9 lines:", *(f"    {number}" for number in range(75, 80)), f"{log} {where}"),
            *(
                "  stderr, the last 5 of 9 lines:",
                *(f"    {number}" for number in range(5, 10)),
                f"{log} --stderr {where}",
            ),
        ]
        assert "\n".join(lines) in ended.out
    assert "    74\n" not in ended.out


def test_the_command_that_shows_all_of_the_output_does_so(local_hosts: Hosts) -> None:
    options = ["-l", "here", "--become-user", "root"]
    ended = local_hosts.call("run", *options, "--", "seq 71 79; exit 3")
    command = next(line for line in ended.out.splitlines() if line.startswith("  All of it: "))

    assert "--become-user root" in command
    assert remotejobs(*shlex.split(command)[4:]).out == "".join(f"{number}\n" for number in range(71, 80))


def test_output_that_is_shown_whole_is_not_said_to_be_cut(local_hosts: Hosts) -> None:
    ended = local_hosts.call("run", "--", "seq 5; seq 5 >&2; exit 3")

    assert ended.out.count("    5\n  stderr:\n    1\n") == 2
    assert "All of it" not in ended.out
    assert "the last" not in ended.out


def test_an_unreachable_host_exits_4_and_leaves_the_others_at_work(one_is_gone: Hosts) -> None:
    ended = one_is_gone.call("run", "--", "exit 3")

    assert ended.code == 4
    assert re.search(r"^gone  unreachable  .+\n    Check that sshd runs there", ended.out, re.MULTILINE)
    assert re.search(r"^here  failed       rc=3", ended.out, re.MULTILINE)
    assert "2 hosts: 1 failed, 1 unreachable" in ended.out


def test_json_is_one_object_for_each_host_with_the_names_of_the_record(hosts: Hosts) -> None:
    command = "printf 'out\\n\\377'; echo err >&2"
    ended = hosts.call("run", "--json", "--label", "a label", "--", command)

    assert ended.code == 0
    assert ended.err == ""
    assert sorted(found["host"] for found in ended.objects) == sorted(hosts.names)
    for found in ended.objects:
        assert set(found) >= NAMES
        assert (found["state"], found["rc"], found["started"], found["finished"]) == ("succeeded", 0, True, True)
        assert (found["stdout"], found["stderr"]) == ("out\n\ufffd", "err\n")
        assert (found["cmd"], found["label"]) == (command, "a label")


def test_json_says_unreachable_with_the_same_names(one_is_gone: Hosts) -> None:
    ended = one_is_gone.call("run", "--json", "--", "true")
    good, gone = sorted(ended.objects, key=lambda found: str(found["state"]))

    assert ended.code == 4
    assert good["state"] == "succeeded"
    assert gone["state"] == "unreachable"
    assert set(gone) == set(good)
    assert "port 1" in gone["msg"]
    assert gone["rc"] is None


def test_all_hosts_share_one_readable_jid(local_hosts: Hosts) -> None:
    jids = {found["jid"] for found in local_hosts.call("run", "--json", "--", "true").objects}

    assert len(jids) == 1
    assert re.fullmatch(r"run-\d{8}T\d{6}-[0-9a-f]{6}", jids.pop())


def test_poll_0_returns_while_the_job_runs_and_says_how_to_find_it(hosts: Hosts, tmp_path: Path) -> None:
    go = tmp_path / "go"
    ended = hosts.call("run", "-P", "0", "--jid", "detached", "--", f"until [ -e {go} ]; do sleep 0.1; done")

    assert ended.code == 0
    assert ended.out.count("started") == len(hosts.names)
    assert f"  remotejobs wait all detached -i {hosts.inventory}\n" in ended.out
    assert {found["state"] for found in hosts.call("status", "detached", "--json").objects} == {"running"}

    go.touch()
    assert hosts.call("wait", "detached").code == 0


def test_poll_0_offers_no_way_to_find_what_no_host_took(one_is_gone: Hosts) -> None:
    refused = one_is_gone.call("run", "-P", "0", "--chdir", "/nowhere", "--", "true")
    taken = one_is_gone.call("run", "-P", "0", "--", "true")

    assert "Find it again" not in refused.out
    assert "Find it again with:\n  remotejobs status all run-" in taken.out


def test_a_start_that_was_refused_is_reported_with_the_jid_to_start_again(local_hosts: Hosts, tmp_path: Path) -> None:
    later = tmp_path / "later"
    ended = local_hosts.call("run", "--chdir", str(later), "--", "echo done")
    again = re.findall(r"start the same jid again: --jid (\S+)\n", ended.out)
    later.mkdir()

    assert ended.code == 2
    assert len(again) == 2
    assert again[0] == ended.out.split()[0]
    assert local_hosts.call("run", "--chdir", str(later), "--jid", again[0], "--", "echo done").code == 0


def test_poll_0_names_the_command_that_checks_where_an_answer_was_not_understood(tmp_path: Path) -> None:
    program = tmp_path / "sh"
    program.write_text("#!/bin/sh\necho no answer\n")
    program.chmod(0o755)
    (tmp_path / "hosts.yml").write_text("all: {hosts: {odd: {ansible_connection: local}}}")
    ended = remotejobs("run", "all", "-P0", "-i", str(tmp_path / "hosts.yml"), "--", "true", PATH=f"{tmp_path}:/bin")

    assert ended.code == 2
    assert "Whether it was started is not known. Check with:\n  remotejobs status all run-" in ended.out


def test_starting_the_same_jid_again_attaches_instead_of_running_twice(hosts: Hosts, tmp_path: Path) -> None:
    words = ["run", "--jid", "once", "--", f"echo ran >>{tmp_path}/ran; echo done"]
    first, second = hosts.call(*words), hosts.call(*words)

    assert (first.code, second.code) == (0, 0)
    assert second.out.count("attached     it has ended already") == len(hosts.names)
    assert second.out.count("    done\n") == len(hosts.names)
    assert (tmp_path / "ran").read_text() == "ran\n" * len(hosts.names)


def test_a_jid_taken_by_another_command_is_an_error_that_shows_both(local_hosts: Hosts) -> None:
    local_hosts.call("run", "--jid", "taken", "--", "echo one")
    ended = local_hosts.call("run", "--jid", "taken", "--", "echo two")

    assert ended.code == 2
    assert "its command is 'echo one', yours is 'echo two'" in ended.out


def test_environment_and_directory_reach_the_command(local_hosts: Hosts, tmp_path: Path) -> None:
    options = ["--env", "COLOUR=dark red", "--env", "EMPTY=", "--chdir", str(tmp_path)]
    ended = local_hosts.call("run", *options, "--json", "--", 'echo "$COLOUR|$EMPTY|$PWD"')

    assert [found["stdout"] for found in ended.objects] == [f"dark red||{tmp_path}\n"] * 2


def test_the_words_after_the_dashes_are_one_command_line_as_they_stand(local_hosts: Hosts) -> None:
    ended = local_hosts.call("run", "--json", "--", "echo", "a;", "echo", "'b  c'", "--", "-i")

    assert {found["cmd"] for found in ended.objects} == {"echo a; echo 'b  c' -- -i"}
    assert {found["stdout"] for found in ended.objects} == {"a\nb  c -- -i\n"}


def test_a_time_limit_ends_the_job_on_the_host_and_exits_2(local_hosts: Hosts) -> None:
    ended = local_hosts.call("run", "-B", "1s", "--", "echo so far; sleep 60")

    assert ended.code == 2
    assert ended.out.count("time limit of 1 s exceeded; its process tree is proven empty (reaped)\n    so far") == 2


def test_more_output_than_is_shown_is_said_to_be_more(local_hosts: Hosts) -> None:
    ended = local_hosts.call("run", "-P", "1", "--", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo last")

    assert ended.out.count("stdout, the last 64.0 KiB of 97.7 KiB:") == 2
    assert ended.out.count("    last\n  All of it: remotejobs log ") == 2


def test_the_number_of_lines_is_not_claimed_where_not_all_of_them_came(local_hosts: Hosts) -> None:
    ended = local_hosts.call("run", "-l", "here", "--", "yes | head -c 100000; exit 3")

    assert "  stdout, the last 5 lines of 97.7 KiB:\n" in ended.out


def test_one_host_has_its_line_and_no_summary(local_hosts: Hosts) -> None:
    ended = local_hosts.call("run", "-l", "here", "--", "true")

    assert ended.code == 0
    assert "too" not in ended.out
    assert "hosts:" not in ended.out


def test_a_dry_run_shows_what_would_run_where_and_asks_no_host(tmp_path: Path) -> None:
    silent = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "ops"}
    hosts = written(tmp_path, {"gone": silent, "away": silent | {"ansible_become": True}})
    queue = ("--lock", "apt", "--slots", "2", "--pool", "dumps", "--queue-timeout", "10m")
    words = ("--dry-run", "--jid", "j", "-B", "1h", *queue, "--env", "TOKEN=secret", "--", "echo $TOKEN")
    ended = hosts.call("run", *words)

    assert ended.code == 0
    assert "j would run on 2 hosts:" in ended.out
    assert "timeout: 1h00m\nlocks: apt\nslots: 2 in dumps\nqueue timeout: 10m00s\n" in ended.out
    assert "gone  ops@127.0.0.1:1  ops" in ended.out
    assert "away  ops@127.0.0.1:1  root" in ended.out
    assert "secret" not in ended.out
    assert [(one["host"], one["user"], one["timeout"]) for one in hosts.call("run", "--json", *words).objects] == [
        ("gone", "ops", 3600),
        ("away", "root", 3600),
    ]

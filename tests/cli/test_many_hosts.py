"""What stays readable on many hosts: those that ended alike are shown once, and each is kept in a file."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.cli import exit_codes
from remotejobs.display.fold import Folded, folded
from remotejobs.display.paint import Paint
from remotejobs.display.table import table
from remotejobs.display.width import cut, padded, width
from remotejobs.errors import Unreachable
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record, State
from tests.cli.conftest import Hosts


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["web1", "web2", "web3"], "web[1-3]"),
        (["web1", "web2", "web9", "db"], "web[1-2,9],db"),
        (["db"], "db"),
        (["n07", "n08", "n7"], "n[07-08],n7"),
        (["a1.x", "a2.x", "b1.x"], "a[1-2].x,b1.x"),
        (["r1n1", "r1n2", "r2n1"], "r1n[1-2],r2n1"),
    ],
)
def test_names_that_differ_in_a_number_are_shown_together(names: list[str], shown: str) -> None:
    assert folded(names) == shown


@given(st.sets(st.integers(0, 300), min_size=1))
def test_two_hundred_names_take_as_many_words_as_there_are_gaps(numbers: set[int]) -> None:
    gaps = sum(number + 1 not in numbers for number in numbers)
    assert folded(f"web{number}" for number in sorted(numbers)).count(",") == gaps - 1


def shown(results: list[HostResult[Record]]) -> list[str]:
    stream = io.StringIO()
    view = Folded([result.host for result in results], stream, Paint(False), command=lambda name, host, *options: name)
    for result in results:
        view.ended(result)
    view.close()
    return stream.getvalue().splitlines()


def ended(host: str, state: State, rc: int, stdout: bytes) -> HostResult[Record]:
    record = Record(host=host, jid="j", state=state, rc=rc, stdout=stdout, stdout_bytes=len(stdout))
    return HostResult(host, value=record)


def test_two_hundred_hosts_of_which_two_differ_take_a_few_lines_with_what_went_wrong_last() -> None:
    results = [ended(f"web{number}", State.SUCCEEDED, 0, b"5.10\n") for number in range(198)]
    results.insert(7, ended("web198", State.FAILED, 3, b"disk full\n"))
    results.append(HostResult("db1", error=Unreachable("db1", "nothing listens at db1", remedy="Start it on db1.")))
    assert shown(results) == [
        "web[0-197] (198 hosts)  succeeded  rc=0",
        "    5.10",
        "web198  failed  rc=3",
        "    disk full",
        "db1  unreachable  nothing listens at HOST",
        "    Start it on HOST.",
    ]


def test_hosts_that_wrote_something_else_are_never_shown_together() -> None:
    results = [ended("a1", State.SUCCEEDED, 0, b"x"), ended("a2", State.SUCCEEDED, 0, b"y")]
    assert shown(results) == ["a1  succeeded  rc=0", "    x", "a2  succeeded  rc=0", "    y"]


def test_a_run_on_real_hosts_folds_them_and_keeps_each_in_a_file(local_hosts: Hosts, tmp_path: Path) -> None:
    tree = tmp_path / "results" / "today"
    done = local_hosts.call("run", "--fold", "--tree", str(tree), "--", "echo same")
    assert done.code == exit_codes.OK
    assert done.out.splitlines()[1:] == ["here,too (2 hosts)  succeeded  rc=0", "    same", "2 hosts: 2 succeeded"]
    assert "\x1b" not in done.out + done.err
    kept = {path.name: json.loads(path.read_text()) for path in tree.iterdir()}
    assert {name: (one["host"], one["stdout"]) for name, one in kept.items()} == {
        "here": ("here", "same\n"),
        "too": ("too", "same\n"),
    }


def test_a_tree_that_cannot_be_written_is_named_before_anything_is_started(local_hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = local_hosts.call("run", "--tree", str(tmp_path / "file" / "x"), "--", "touch", str(tmp_path / "ran"))
    assert (done.code, "Not a directory" in done.err) == (exit_codes.USAGE_ERROR, True)
    assert not (tmp_path / "ran").exists()


def test_folding_is_for_people_and_json_for_programs(local_hosts: Hosts) -> None:
    assert local_hosts.call("run", "--fold", "--json", "--", "true").code == exit_codes.USAGE_ERROR


def test_a_kill_that_is_only_tried_shows_what_would_be_ended_and_ends_nothing(local_hosts: Hosts) -> None:
    assert local_hosts.call("run", "-P", "0", "--jid", "j", "--", "sleep 300").code == exit_codes.OK
    tried = local_hosts.call("kill", "j", "--dry-run")
    assert (tried.code, tried.out.splitlines()[-1]) == (exit_codes.OK, "2 jobs would be ended. Nothing was done.")
    assert {one["state"] for one in local_hosts.call("status", "j", "--json").objects} == {"running"}
    assert local_hosts.call("kill", "j").code == exit_codes.OK


def test_transfers_that_are_only_tried_show_what_would_go_where(local_hosts: Hosts, tmp_path: Path) -> None:
    source = tmp_path / "app.tar"
    source.write_bytes(b"12345")
    pushed = local_hosts.call("push", str(source), str(tmp_path / "there"), "--dry-run")
    pulled = local_hosts.call("pull", "/etc/hostname", str(tmp_path / "{host}.txt"), "--dry-run")
    assert f"here  {source} (5 bytes)  here:{tmp_path}/there" in pushed.out
    assert f"too   too:/etc/hostname   {tmp_path}/too.txt" in pulled.out
    assert [path.name for path in tmp_path.glob("*") if path.suffix == ".txt" or path.name == "there"] == []


def test_wide_characters_take_two_columns_and_a_table_stays_aligned() -> None:
    assert (width("日本"), padded("日", 4), cut("日本語", 5), cut("abc", 2)) == (4, "日  ", "日本…", "a…")
    rows = [("日本", "x"), ("host", "y")]
    assert table(("host", "msg"), rows, Paint(False)) == ["host  msg", "日本  x", "host  y"]


def test_output_that_is_plain_ascii_waits_for_no_table_of_widths() -> None:
    before = sys.modules.pop("rich.cells", None)
    try:
        assert width("plain") == 5
        assert "rich.cells" not in sys.modules
    finally:
        if before:
            sys.modules["rich.cells"] = before

"""`remotejobs backups`: what lies on the hosts is listed, and restored after a look."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import pytest

from remotejobs.cli.main import build_parser
from remotejobs.cli.restoring import asked_for
from remotejobs.connections.local import LocalConnection
from remotejobs.jobs.client import HostJobs
from remotejobs.model import State
from remotejobs.operations.backup import BackupPlan, FilesItem, Retention, job_of, report_of
from remotejobs.operations.backup.restore import Restore
from tests.cli.conftest import Hosts
from tests.cli.running import CommandResult, remotejobs


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def saved(tmp_path: Path, directory: Path) -> Path:
    """A backup of the files below `site`, made by a job of this machine."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("hello")
    item = FilesItem(name="site", hosts="here", base=str(tmp_path), paths=("site",))
    plan = BackupPlan(files=(item,), directory=str(directory), min_free_mib=0, retention=Retention(mode="off"))
    jobs = HostJobs(LocalConnection("here"), directory=str(tmp_path / "making"))
    job = job_of(plan, item, host="here", jid=uuid4().hex)
    jobs.start(job)
    record = jobs.record(job.jid, wait=60)
    assert record.state is State.SUCCEEDED, record.stderr
    return Path(report_of(record).path)


def call(hosts: Hosts, action: str, directory: Path, *words: str, pattern: str = "here") -> CommandResult:
    where = ("-i", str(hosts.inventory), "--directory", str(directory))
    return remotejobs("backups", action, pattern, *where, *words)


def restore(hosts: Hosts, directory: Path, to: Path, *words: str) -> CommandResult:
    return call(hosts, "restore", directory, "--item", "site", "--to", str(to), "--reserve-mib", "0", *words)


def test_the_backups_of_hosts_are_listed_with_age_size_and_state(
    local_hosts: Hosts, saved: Path, directory: Path
) -> None:
    old = directory / "old-20200101T000000Z.dump"
    old.write_text("x")
    Path(f"{old}.sha256").write_text("sum\n")
    shown = call(local_hosts, "list", directory)
    assert shown.code == 0
    first, second = shown.out.splitlines()[1:]
    assert re.match(rf"here +old +2020-01-01 00:00:00Z +\d+d\d\dh +1 bytes +whole +local only +none +{old.name}", first)
    assert re.match(rf"here +site +\S+ \S+ +\d+\.\ds +\d+ bytes +whole +local only +yes +{saved.name}", second)
    found = {each["item"]: each for each in call(local_hosts, "list", directory, "--json").objects}
    assert (found["old"]["record"], found["old"]["kind"]) == (None, "postgres")
    assert (found["site"]["path"], found["site"]["record"]["entries"]) == (str(saved), 2)
    assert [each["item"] for each in call(local_hosts, "list", directory, "--json", "--item", "old").objects] == ["old"]


def test_a_directory_that_is_not_there_has_no_backups(local_hosts: Hosts, directory: Path) -> None:
    shown = call(local_hosts, "list", directory, pattern="all")
    assert (shown.code, shown.out) == (0, "here: there are no backups\ntoo: there are no backups\n")


def test_over_ssh_too(ssh_hosts: Hosts, saved: Path, directory: Path, tmp_path: Path) -> None:
    shown = call(ssh_hosts, "list", directory, "--json", pattern="all")
    assert [(each["host"], each["path"]) for each in shown.objects] == [(name, str(saved)) for name in ssh_hosts.names]
    words = ("--item", "site", "--to", str(tmp_path / "back"), "-P", "1", "--reserve-mib", "0")
    done = call(ssh_hosts, "restore", directory, *words, pattern="db2")
    assert done.code == 0, done.out + done.err
    assert (tmp_path / "back" / "site" / "index.html").read_text() == "hello"


def test_a_dry_run_says_what_would_be_restored(
    local_hosts: Hosts, saved: Path, directory: Path, tmp_path: Path
) -> None:
    shown = restore(local_hosts, directory, tmp_path / "back", "--dry-run")
    assert shown.code == 0
    assert re.search(rf"here +{saved.name} .* whole +{tmp_path}/back +is new", shown.out)
    assert shown.out.endswith("Nothing was changed.\n")
    assert not (tmp_path / "back").exists()


def test_a_restore_is_a_job_that_the_same_jid_attaches_to(
    local_hosts: Hosts, saved: Path, directory: Path, tmp_path: Path
) -> None:
    to = tmp_path / "back"
    done = restore(local_hosts, directory, to, "--jid", "mine", "-P", "1")
    assert done.code == 0, done.out + done.err
    assert (to / "site" / "index.html").read_text() == "hello"
    again = restore(local_hosts, directory, to, "--jid", "mine", "-P", "1")
    assert (again.code, "started already; attaching" in again.out) == (0, True)
    assert not list(tmp_path.glob("back.*"))
    other = restore(local_hosts, directory, tmp_path / "elsewhere", "--jid", "mine", "-P", "1")
    assert other.code == 2
    assert "the job mine is another one: it does not restore site to " in other.err


def test_what_exists_is_refused_unless_replace_says_otherwise(
    local_hosts: Hosts, saved: Path, directory: Path, tmp_path: Path
) -> None:
    to = tmp_path / "back"
    to.mkdir()
    (to / "mine").write_text("precious")
    refused = restore(local_hosts, directory, to)
    assert refused.code == 1
    assert f"{to} exists on here" in refused.err
    assert "--replace" in refused.err
    assert restore(local_hosts, directory, to, "--replace", "-P", "1").code == 0
    (kept,) = tmp_path.glob("back.before-*")
    assert (kept / "mine").read_text() == "precious"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--at", "yesterday"), "at: "),
        (("--at", "2020-01-01"), "none of 1 backups of site is dated until 2020-01-01"),
        (("--tested",), "no backup of site is tested: whole"),
    ],
)
def test_why_nothing_can_be_restored(
    words: tuple[str, ...], why: str, local_hosts: Hosts, saved: Path, directory: Path, tmp_path: Path
) -> None:
    refused = restore(local_hosts, directory, tmp_path / "back", *words)
    assert refused.code in (1, 2)
    assert why in refused.err
    assert not (tmp_path / "back").exists()


def test_a_damaged_backup_fails_the_verification_and_is_shown_as_such(
    local_hosts: Hosts, saved: Path, directory: Path
) -> None:
    assert call(local_hosts, "verify", directory, "-P", "1").code == 0
    (found,) = call(local_hosts, "list", directory, "--json").objects
    assert found["verified"]["restored"] is False
    saved.write_bytes(saved.read_bytes()[:-1] + b"x")
    done = call(local_hosts, "verify", directory, "-P", "1", "--item", "site")
    assert (done.code, "1 of 1 backups are damaged" in done.out) == (2, True)
    assert "damaged" in call(local_hosts, "list", directory).out


def test_a_verification_that_is_only_tried_shows_what_would_be_read_and_starts_no_job(
    local_hosts: Hosts, saved: Path, directory: Path
) -> None:
    tried = call(local_hosts, "verify", directory, "--dry-run", "--jid", "tried")
    assert tried.code == 0
    assert saved.name in tried.out
    assert tried.out.splitlines()[-1].endswith("would be read. Nothing was started.")
    assert local_hosts.call("status", "tried").code != 0


def test_who_logs_in_is_not_whom_the_database_knows() -> None:
    args = build_parser().parse_args(
        ["backups", "restore", "all", "--item", "db", "--database", "db", "-u", "deploy", "--username", "postgres"]
    )
    assert asked_for(Restore, args).user == "postgres"

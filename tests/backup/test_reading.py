"""A large backup is read for its checks while it is written; what is read is what is there at the end."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from remotejobs.model import Record
from remotejobs.operations.backup import FilesItem, PostgresItem, Retention, report_of
from remotejobs.operations.backup.item.script import shell_text
from tests.backup.test_backup import SHELLS

LARGE = 14 * 2**20  # bytes: from here on the next one is read while it is written


def run(call: str, *words: str, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    script = [*shell.split(), "-c", f"{shell_text()}\nITEM=x step=check\n{call}", "sh", *words]
    return subprocess.run(script, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_read_while_it_is_written_is_what_is_there_at_the_end(shell: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(5 * 2**20 + 17))
    # More than the reader takes at once, then a rest, with the reader in between.
    writes = (
        "work=$1 part=$2; bk_sums; : >$part; bk_reader sum bk_sum; head -c 4200000 $3 >>$part; sleep 0.3; "
        "tail -c +4200001 $3 >>$part; bk_written; bk_sum_begin; bk_sum_ended; echo $sum"
    )
    done = run(writes, str(tmp_path), str(tmp_path / "part"), str(source), shell=shell)
    assert done.stdout.split() == [hashlib.sha256(source.read_bytes()).hexdigest()], done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_a_check_that_failed_while_it_was_written_fails(shell: str, tmp_path: Path) -> None:
    reads = "reads() { cat >/dev/null; echo bad >&2; return 3; }"
    check = "work=$1 part=$1/part; : >$part; bk_reader read reads; bk_written"
    done = run(f"{reads}; {check}; bk_read_by reads; echo code $?", str(tmp_path), shell=shell)
    assert (done.stdout, done.stderr) == ("code 3\n", "bad\n")


@pytest.mark.parametrize(
    "read", ["bk_reader read cat; bk_written; bk_read_by cat", "bk_reader sum cat; bk_written; bk_sum_ended"]
)
def test_what_cannot_be_read_to_its_end_is_no_backup(read: str, tmp_path: Path) -> None:
    torn = f"work=$1 part=$1/part summing=''; : >$part; bk_growing() {{ return 1; }}; {read}"
    done = run(torn, str(tmp_path))
    assert done.returncode == 1
    assert "failed at step check: it cannot be read" in done.stderr


@pytest.mark.parametrize("compress", [False, True])
def test_a_large_one_is_read_once_and_recorded_like_others(
    compress: bool, back_up: Callable[..., Record], tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "large").write_bytes(os.urandom(LARGE))
    item = FilesItem(name="site", hosts="here", base=str(tmp_path), paths=("site",), compress=compress)
    for _night in range(2):
        report = report_of(back_up(item))
        file = Path(report.path)
        assert report.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert json.loads(Path(f"{file}.json").read_text())["checks"][-1] == "tar -t: 2 entries"


def test_a_large_dump_is_read_while_it_is_written(
    back_up: Callable[..., Record], database: Callable[..., PostgresItem], directory: Path
) -> None:
    # What the last one took decides: the sparse file stands for it.
    directory.mkdir()
    last = directory / "orders-20200101T000000Z.dump"
    with last.open("wb") as file:
        file.truncate(LARGE)
    Path(f"{last}.sha256").touch()
    record = back_up(database("orders"), retention=Retention(mode="off"))
    report = report_of(record)
    assert report.sha256 == hashlib.sha256(Path(report.path).read_bytes()).hexdigest()
    checks = json.loads(Path(f"{report.path}.json").read_text())["checks"]
    assert checks[-1] == "pg_restore: all data read"

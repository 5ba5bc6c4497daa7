"""Large files by the flows: pushed, pulled, and downloaded by the hosts themselves."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from lab.servers.web.files import WebFiles
from remotejobs.errors import UsageError
from remotejobs.prefect.flows.download import download
from remotejobs.prefect.flows.transfer import transfer
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.jobs.errors import HostsFailed
from tests.artifacts import artifacts_of, bars_of, table_of

MIB = 1024 * 1024


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """Of the file `web/big`."""
    (tmp_path / "web").mkdir()
    content = os.urandom(3 * MIB)
    (tmp_path / "web" / "big").write_bytes(content)
    return content


def test_a_file_is_pushed_with_a_bar_and_a_row_for_each_host(access: Access, content: bytes, tmp_path: Path) -> None:
    source = str(tmp_path / "web" / "big")
    state = transfer(access, "push", "db1", source, str(tmp_path / "copy"), return_state=True)
    (done,) = state.result()
    assert (tmp_path / "copy").read_bytes() == content
    (row,) = table_of(state.state_details.flow_run_id)
    assert (row["host"], row["size"], row["sha256"]) == ("db1", "3.0 MiB", done.sha256)
    assert bars_of(state.state_details.flow_run_id) == [100.0]


def test_files_are_pulled_to_a_place_for_each_host(access: Access, content: bytes, tmp_path: Path) -> None:
    transfer(access, "pull", "databases", str(tmp_path / "web" / "big"), f"{tmp_path}/{{host}}/big")
    assert [(tmp_path / host / "big").read_bytes() for host in ("db1", "db2")] == [content, content]
    with pytest.raises(UsageError, match="Put {host} into it"):
        transfer(access, "pull", "databases", str(tmp_path / "web" / "big"), str(tmp_path / "one"))


def test_a_host_that_refuses_fails_the_run_by_name(access: Access, content: bytes, tmp_path: Path) -> None:
    with pytest.raises(HostsFailed, match="push on db1: .*/nowhere/"):
        transfer(access, "push", "db1", str(tmp_path / "web" / "big"), "/nowhere/at/all")


def test_a_download_that_is_cut_off_goes_on_from_there_and_is_named_when_whole(
    access: Access, content: bytes, tmp_path: Path
) -> None:
    digest = hashlib.sha256(content).hexdigest()
    with WebFiles(tmp_path / "web", hang_up_after=MIB, hang_ups=2) as web:
        (end,) = download(access, "db1", f"{web.url}big", str(tmp_path / "copy"), digest, poll=1)
        assert web.began_at == [0, MIB, 2 * MIB]
        again = download(access, "db1", f"{web.url}big", str(tmp_path / "copy"), digest, poll=1)
        assert web.began_at == [0, MIB, 2 * MIB], "what is there already is not fetched"
    assert (tmp_path / "copy").read_bytes() == content
    assert end.record and digest.encode() in end.record.stdout
    assert again[0].record and b"is there already" in again[0].record.stdout


def test_a_download_moves_a_bar_where_the_server_sends_its_size(access: Access, tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "big").write_bytes(bytes(24 * MIB))  # more than the sockets between them hold
    copy = str(tmp_path / "copy")
    with WebFiles(tmp_path / "web") as web:
        state = download(access, "db1", f"{web.url}big", copy, rate=4 * MIB, poll=1, return_state=True)
    (bar,) = artifacts_of(state.state_details.flow_run_id, "progress")
    assert (bar.data, bar.description) == (100.0, "download copy on db1: succeeded")


def test_a_download_with_another_sha256_gets_no_name(access: Access, content: bytes, tmp_path: Path) -> None:
    with WebFiles(tmp_path / "web") as web, pytest.raises(HostsFailed, match="(?s)has the sha256 .* not 00000000"):
        download(access, "db1", f"{web.url}big", str(tmp_path / "copy"), "0" * 64, poll=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["web"]


def test_an_address_that_is_not_there_fails_and_says_so(access: Access, content: bytes, tmp_path: Path) -> None:
    with WebFiles(tmp_path / "web") as web, pytest.raises(HostsFailed, match="(?s)404.*could not be fetched"):
        download(access, "db1", f"{web.url}missing", str(tmp_path / "copy"), poll=1)


def test_without_a_sha256_a_part_of_something_else_is_not_gone_on_with(
    lab: SshLab, access: Access, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / ".copy.any.part").write_bytes(b"the beginning of another file")
    with WebFiles(tmp_path / "web") as web:
        download(access, "db1", f"{web.url}big", str(tmp_path / "copy"), poll=1)
    assert (tmp_path / "copy").read_bytes() == content

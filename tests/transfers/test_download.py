"""The part on the host of a download."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.servers.web.files import WebFiles
from remotejobs.errors import UsageError
from remotejobs.model import Job
from remotejobs.operations.transfer import download_job
from tests.transfers.conftest import MIB

TOOLS = "wget sha256sum cut dirname basename rm kill sleep wc chmod sync mv cp cat printf cksum"


def test_without_curl_wget_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    content = os.urandom(3 * MIB)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "big").write_bytes(content)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in TOOLS.split():
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    with WebFiles(tmp_path / "web", hang_up_after=MIB, hang_ups=2) as web:
        digest = hashlib.sha256(content).hexdigest()
        job = download_job(f"{web.url}big", str(tmp_path / "copy"), "download", sha256=digest)
        done = run(job, str(tools))
        assert done.returncode == 0, done.stderr
        assert web.began_at == [0, MIB, 2 * MIB]
    assert (tmp_path / "copy").read_bytes() == content


class Vanishing(WebFiles):
    """Its file is gone while it is sent."""

    def part(self, content: bytes) -> bytes:
        (self.directory / "big").unlink()
        return super().part(content)


def run(job: Job, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/sh", "-c", job.cmd], env={"PATH": path}, capture_output=True, text=True)


def test_a_refusal_that_may_pass_leaves_what_came_for_the_next_try(tmp_path: Path) -> None:
    content = os.urandom(3 * MIB)
    (tmp_path / "big").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    with Vanishing(tmp_path, hang_up_after=MIB, hang_ups=1) as web:
        job = download_job(f"{web.url}big", str(tmp_path / "copy"), "download", sha256=digest)
        done = run(job)
        assert done.returncode == 1
        assert "what came so far is kept" in done.stderr
        (tmp_path / "big").write_bytes(content)
        done = run(job)
        assert (done.returncode, done.stdout) == (0, f"sha256 {digest}\n")
        assert web.began_at == [0, MIB]
    assert (tmp_path / "copy").read_bytes() == content


def test_without_a_sha256_to_have_the_file_is_summed_once(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"content")
    sums, tool = tmp_path / "sums", tmp_path / "bin" / "sha256sum"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho sum >>{sums}\nexec {shutil.which("sha256sum")} "$@"\n')
    tool.chmod(0o755)
    with WebFiles(tmp_path) as web:
        job = download_job(f"{web.url}big", str(tmp_path / "copy"), "download")
        done = run(job, f"{tool.parent}:{os.environ['PATH']}")
    assert done.stdout == f"sha256 {hashlib.sha256(b'content').hexdigest()}\n"
    assert sums.read_text().split() == ["sum"]


def test_an_answer_that_is_no_file_is_reported_as_such_and_leaves_nothing(tmp_path: Path) -> None:
    with WebFiles(tmp_path) as web:
        done = run(download_job(f"{web.url}missing", str(tmp_path / "copy"), "download"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"{web.url}missing could not be fetched: the server answered 404"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "dest", "sha256"),
    [("file:///etc/passwd", "/tmp/x", ""), ("http://a/b", "x", ""), ("http://a/b", "/tmp/x", "ABC")],
)
def test_what_makes_no_sense_is_refused_before_anything_is_started(url: str, dest: str, sha256: str) -> None:
    with pytest.raises(UsageError):
        download_job(url, dest, "download", sha256=sha256)

"""The host's half of a download by wget, where there is no curl."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.web_files import WebFiles
from remotejobs.errors import BadUse
from remotejobs.transfer import download_job

TOOLS = "wget sha256sum cut dirname basename rm kill sleep wc chmod sync mv cp cat printf cksum"


def test_without_curl_wget_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    content = os.urandom(3 * 1024 * 1024)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "big").write_bytes(content)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in TOOLS.split():
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    with WebFiles(tmp_path / "web", hang_up_after=1024 * 1024, hang_ups=2) as web:
        digest = hashlib.sha256(content).hexdigest()
        job = download_job(f"{web.url}big", str(tmp_path / "copy"), "download", sha256=digest)
        done = subprocess.run(["/bin/sh", "-c", job.cmd], env={"PATH": str(tools)}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert web.began_at == [0, 1024 * 1024, 2 * 1024 * 1024]
    assert (tmp_path / "copy").read_bytes() == content


@pytest.mark.parametrize(
    ("url", "dest", "sha256"),
    [("file:///etc/passwd", "/tmp/x", ""), ("http://a/b", "x", ""), ("http://a/b", "/tmp/x", "ABC")],
)
def test_what_makes_no_sense_is_refused_before_anything_is_started(url: str, dest: str, sha256: str) -> None:
    with pytest.raises(BadUse):
        download_job(url, dest, "download", sha256=sha256)

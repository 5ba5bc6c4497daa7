"""known_hosts as OpenSSH reads it."""

from __future__ import annotations

import base64
import fcntl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.connections.ssh.host_keys.known_hosts import HostKey, append, find, parse

KEY = HostKey("ssh-ed25519", b"key")
B64 = base64.b64encode(KEY.blob).decode()
PATH = Path("known")


@pytest.mark.parametrize(
    ("names", "name", "found"),
    [
        ("db1", "db1", True),
        ("DB1,10.0.0.1", "db1", True),
        ("db1", "[db1]:2222", False),
        ("[db1]:2222", "[db1]:2222", True),
        ("[db1]:2222", "db", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com,!bad.example.com", "bad.example.com", False),
        ("[*.example.com]:22?", "[a.example.com]:222", True),
        ("db?", "db12", False),
        ("|1|c29tZXNhbHQ=|notthehash", "db1", False),
    ],
)
def test_patterns_match_as_in_openssh(tmp_path: Path, names: str, name: str, found: bool) -> None:
    path = tmp_path / "known"
    path.write_text(f"{names} ssh-ed25519 {B64} a comment\n")

    assert bool(find([path], name)) is found


def test_hashed_names_made_by_ssh_keygen_are_found(tmp_path: Path) -> None:
    path = tmp_path / "known"
    public = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    path.write_text(f"[db1]:2222 ssh-ed25519 {public}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=True, capture_output=True)

    assert "db1" not in path.read_text()
    assert [entry.line for entry in find([path], "[db1]:2222")] == [1]
    assert find([path], "db1") == ()


def test_the_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    public = tmp_path / "key.pub"
    said = subprocess.run(["ssh-keygen", "-lf", public], check=True, capture_output=True, text=True).stdout
    kind, blob = public.read_text().split()[:2]

    assert HostKey(kind, base64.b64decode(blob)).fingerprint == said.split()[1]


def test_lines_that_mean_nothing_here_are_passed_over() -> None:
    good = f"db1 ssh-ed25519 {B64}\n"
    text = f"# comment\n\n@marker * ssh-ed25519 {B64}\ndb1 ssh-ed25519\ndb1 ssh-ed25519 ???\n{good}"

    assert [entry.line for entry in parse(text, PATH)] == [6]


def test_an_authority_is_distinguished_from_a_key() -> None:
    (entry,) = parse(f"@cert-authority *.example.com ssh-ed25519 {B64}\n", PATH)

    assert (entry.authority, entry.is_for("a.example.com"), entry.is_for("db1")) == (True, True, False)


def test_files_are_read_in_their_order_and_missing_ones_are_empty(tmp_path: Path) -> None:
    second, first = tmp_path / "second", tmp_path / "first"
    for path in (first, second):
        path.write_text(KEY.line("db1"))

    assert [entry.path for entry in find([first, tmp_path / "missing", second], "db1")] == [first, second]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "known"
    assert find([path], "db1") == ()
    append(path, "db1", KEY)
    assert len(find([path], "db1")) == 1
    append(path, "db2", KEY)
    assert len(find([path], "db2")) == 1


def test_a_new_line_is_added_whole_and_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "known"
    for _ in range(2):
        append(path, "db1", KEY)
    path.write_text(path.read_text().rstrip("\n"))
    append(path, "db2", KEY)

    assert path.read_text() == KEY.line("db1") + KEY.line("db2")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_process_that_adds_a_line_waits_for_one_that_is_adding(tmp_path: Path) -> None:
    path = tmp_path / "known"
    with path.open("w") as file, ThreadPoolExecutor(1) as threads:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting = threads.submit(append, path, "db1", KEY)
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        file.write(KEY.line("db1"))
        file.flush()
        fcntl.flock(file, fcntl.LOCK_UN)
        waiting.result(20)

    assert path.read_text() == KEY.line("db1")


@given(st.text())
def test_any_file_can_be_read(text: str) -> None:
    for entry in parse(text, PATH):
        assert entry.line >= 1
        assert entry.is_for("db1") in (True, False)


@given(st.from_regex(r"(\[[a-z0-9.-]+\]:[0-9]+|[a-z0-9.-]+)", fullmatch=True), st.binary(min_size=1))
def test_what_is_written_is_found(name: str, blob: bytes) -> None:
    (entry,) = parse(HostKey("ssh-ed25519", blob).line(name), PATH)

    assert entry.is_for(name)
    assert entry.key.blob == blob

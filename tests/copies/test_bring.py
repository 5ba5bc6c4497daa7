"""A copy is restored on another host than the one that was backed up; what opens it is never left there."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.servers.sshd import SshLab
from remotejobs.cli import main
from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, FilesItem, Item
from remotejobs.operations.backup.copies.send import CopyOutcome
from tests.copies.conftest import Key, Places

Back_up = Callable[[BackupPlan, Item], Record]
Copy = Callable[[BackupPlan, Item], CopyOutcome]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    for number in range(20):
        (tmp_path / "site" / f"page {number}").write_text(f"{number}" * 1000)
    return tmp_path / "site"


@pytest.fixture
def item(site: Path) -> FilesItem:
    return FilesItem(name="site", hosts="source", base=str(site.parent), paths=("site",))


@pytest.fixture
def gpg(tmp_path: Path, lab: SshLab, monkeypatch: pytest.MonkeyPatch) -> Key:
    """A key pair whose public half alone is in the keyring of source's user."""
    home = tmp_path / "keys"
    home.mkdir(mode=0o700)
    base = ["gpg", "--homedir", str(home), "--batch", "--no-tty", "-q"]
    made = [*base, "--passphrase", "", "--quick-generate-key", "backups@example.org", "default", "default", "never"]
    subprocess.run(made, check=True)
    public = subprocess.run([*base, "--export", "backups@example.org"], check=True, capture_output=True).stdout
    secret = subprocess.run([*base, "--armor", "--export-secret-keys"], check=True, capture_output=True).stdout
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    theirs = lab.host("source").home / ".gnupg"
    theirs.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["gpg", "--homedir", str(theirs), "--batch", "-q", "--import"], input=public, check=True)
    subprocess.run(["gpgconf", "--homedir", str(theirs), "--kill", "all"], check=True)
    identity = tmp_path / "secret.asc"
    identity.write_bytes(secret)
    return Key("backups@example.org", identity)


@pytest.fixture
def copied_for_age(back_up: Back_up, copy: Copy, places: Places, item: FilesItem, age: Key) -> None:
    """The place has a copy, encrypted for `age`."""
    plan = places.plan({"age": [age.recipient]}, files=[item])
    back_up(plan, item)
    copy(plan, item)


def restore(inventory: Path, places: Places, target: Path, *more: str) -> int:
    words = ["backups", "restore", "third", "-i", str(inventory), "--item", "site", "--to", str(target)]
    words += ["--directory", str(places.base / "elsewhere"), "--reserve-mib", "0", "-P", "1"]
    words += ["--copy-on", "vault", "--copy-of", "source", "--copies", str(places.base / "copies"), *more]
    return main(words)


def left_in_memory() -> list[str]:
    return [path.name for path in Path("/dev/shm").glob("rj_*")]


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


@pytest.mark.parametrize("program", ["age", "gpg"])
def test_a_copy_is_restored_on_a_third_host_when_the_source_is_gone(
    program: str,
    request: pytest.FixtureRequest,
    back_up: Back_up,
    copy: Copy,
    places: Places,
    item: FilesItem,
    site: Path,
    inventory: Path,
    lab: SshLab,
    capsys: pytest.CaptureFixture[str],
) -> None:
    key: Key = request.getfixturevalue(program)
    plan = places.plan({program: [key.recipient]}, files=[item])
    assert back_up(plan, item).state is State.SUCCEEDED
    assert copy(plan, item).problems == ()
    was = contents(site)
    shutil.rmtree(site)
    shutil.rmtree(places.backups)
    target = places.base / "restored"
    before = left_in_memory()
    code = restore(inventory, places, target, "--identity", str(key.identity))
    assert code == 0, capsys.readouterr()
    assert contents(target / "site") == was
    assert left_in_memory() == before
    assert not [*(places.base / "elsewhere").iterdir()]
    secret = max(key.identity.read_text().splitlines(), key=lambda line: (line.startswith("AGE"), len(line)))
    jobs = [path.read_text("utf-8", "replace") for path in lab.host("third").results_dir.rglob("*") if path.is_file()]
    assert jobs and not any(secret in text for text in jobs)


def test_a_keyring_that_a_killed_job_left_in_memory_goes_with_the_next_restore(
    back_up: Back_up, copy: Copy, places: Places, item: FilesItem, gpg: Key, inventory: Path
) -> None:
    plan = places.plan({"gpg": [gpg.recipient]}, files=[item])
    back_up(plan, item)
    copy(plan, item)
    left = Path(tempfile.mkdtemp(prefix="rj_gnupg_", dir="/dev/shm"))
    left = left.rename(left.with_name(f"rj_gnupg_{left.name[-6:]}"))
    (left / "run").write_text(f"another-boot {Path('/proc/self/ns/pid').readlink()} 1 1\n")
    assert restore(inventory, places, places.base / "restored", "--identity", str(gpg.identity)) == 0
    assert not left.exists()


@pytest.mark.usefixtures("copied_for_age")
def test_an_encrypted_copy_without_an_identity_is_refused_before_anything_moves(
    places: Places, inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(inventory, places, places.base / "restored") != 0
    assert "is encrypted for age. Give the identity that opens it" in capsys.readouterr().err
    assert not (places.base / "elsewhere").exists()


@pytest.mark.usefixtures("copied_for_age")
def test_another_identity_opens_nothing_and_leaves_nothing(
    places: Places, inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = places.base / "other"
    subprocess.run(["age-keygen", "-o", other], check=True, capture_output=True)
    before = left_in_memory()
    assert restore(inventory, places, places.base / "restored", "--identity", str(other)) != 0
    assert "it cannot be decrypted" in capsys.readouterr().out
    assert left_in_memory() == before
    assert not [path for path in (places.base / "elsewhere").rglob("*") if path.is_file() and path.suffix != ".part"]
    assert not (places.base / "restored").exists()


def test_a_copy_that_is_not_encrypted_needs_no_identity(
    back_up: Back_up, copy: Copy, places: Places, item: FilesItem, site: Path, inventory: Path
) -> None:
    plan = places.plan(None, files=[item])
    back_up(plan, item)
    copy(plan, item)
    assert restore(inventory, places, places.base / "restored") == 0
    assert contents(places.base / "restored" / "site") == contents(site)

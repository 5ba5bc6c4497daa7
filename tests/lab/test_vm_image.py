"""The image of the virtual machine is built once, however many want it at once; what it runs on is chosen rightly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lab.servers.vm.image
from lab.process import LabError
from lab.servers.vm.image import image
from lab.servers.vm.machine import accelerators
from tests.awaiting import await_true

EMULATED = ["-accel", "tcg,thread=multi"]


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a recipe says that it builds; it does so until the test lets it."""
    recipe, built = tmp_path / "recipe.sh", tmp_path / "built"
    recipe.write_text(f"echo built >> {built}; until [ -e {tmp_path}/go ]; do sleep 0.1; done; touch $1/disk\n")
    monkeypatch.setattr(lab.servers.vm.image, "RECIPE", recipe)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return built


def test_two_processes_that_want_it_at_once_get_the_same_which_was_built_once(built: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        wanted = [threads.submit(image) for _ in range(2)]
        await_true(built.exists)
        (tmp_path / "go").touch()
        one, other = (each.result() for each in wanted)
    assert one == other
    assert one.disk.exists()
    assert built.read_text() == "built\n"
    assert image() == one
    assert built.read_text() == "built\n", "nor is it built again"


def test_what_a_build_that_was_killed_left_is_removed_by_the_next(built: Path, tmp_path: Path) -> None:
    (left := tmp_path / "cache" / "remotejobs" / ".building.x" / "root").mkdir(parents=True)
    (tmp_path / "go").touch()
    image()
    assert not left.exists()
    assert not list(left.parent.parent.glob(".building*"))


def test_a_build_that_fails_is_reported_with_its_log_and_leaves_no_image(built: Path, tmp_path: Path) -> None:
    lab.servers.vm.image.RECIPE.write_text("echo no such mirror >&2; exit 3\n")
    with pytest.raises(LabError, match=r"could not be built. Its log .* ends with:\nno such mirror"):
        image()
    assert [path.name for path in (tmp_path / "cache" / "remotejobs").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("flag", ["vmx", "svm"])
def test_kvm_is_used_where_the_processor_helps_and_emulation_where_that_fails(flag: str) -> None:
    assert accelerators(f"processor : 0\nflags\t\t: fpu {flag} pni\n") == ["-accel", "kvm", *EMULATED]


def test_a_kvm_without_help_of_the_processor_is_not_used_for_it_does_not_boot_what_was_not_made_for_it() -> None:
    assert accelerators("processor : 0\nflags\t\t: fpu pni hypervisor\n") == EMULATED

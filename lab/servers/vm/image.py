"""The image of the lab's virtual machine: built once by image.sh, kept outside the checkout."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import guard
from lab.process import LabError
from lab.reaper import unmount_under

RECIPE = Path(__file__).with_name("image.sh")
_UNFINISHED = ".building."


@dataclass(frozen=True, slots=True)
class Image:
    """What a machine boots from, and how to log in there: as root or ops (who may become root), with `private_key`."""

    directory: Path

    @property
    def disk(self) -> Path:
        return self.directory / "disk"

    @property
    def kernel(self) -> Path:
        return self.directory / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.directory / "initrd"

    @property
    def private_key(self) -> Path:
        return self.directory / "id_ed25519"

    @property
    def host_key(self) -> str:
        """Kind and key, as known_hosts wants them."""
        return " ".join((self.directory / "host_ed25519.pub").read_text().split()[:2])


def cache() -> Path:
    """Where images are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "remotejobs"


def image() -> Image:
    """The image of today's recipe, built when there is none: needs root and a minute or two. Raises `LabError`."""
    place = cache() / f"vm-{hashlib.sha256(RECIPE.read_bytes()).hexdigest()[:12]}"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place.parent / "vm.lock") as lock:
            if not place.exists():
                _build(place, lock)
    return Image(place)


@contextmanager
def _alone(path: Path) -> Iterator[int]:
    """Of all tests and checkouts that want an image one builds, and the others wait for it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _build(place: Path, lock: int) -> None:
    if os.geteuid() != 0:
        raise LabError(f"the lab's machine has no image in {place}, and only root can build it: run this once as root")
    for left in place.parent.glob(f"{_UNFINISHED}*"):
        unmount_under(str(left))
        shutil.rmtree(left)  # the process that was building it is gone, and so is all that it had started
    directory = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=place.parent))
    packages = place.parent / "packages"
    packages.mkdir(exist_ok=True)
    log = place.with_suffix(".log")
    try:
        with guard.entered("place", directory), log.open("wb") as out:
            # A build whose starter is killed holds the lock until it ends.
            built = subprocess.run(
                ["sh", str(RECIPE), str(directory), str(packages)],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=[lock],
            )
        if built.returncode:
            words = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise LabError(f"the image of the lab's machine could not be built. Its log {log} ends with:\n{words}")
        directory.rename(place)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    image()

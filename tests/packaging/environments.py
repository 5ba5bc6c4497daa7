"""Built wheels, and fresh environments in which they are installed."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PathDistribution, distribution
from pathlib import Path
from zipfile import ZipFile

from tests.documents import program_in

PROJECT = Path(__file__).resolve().parents[2]
_PREFECT = Path(str(distribution("prefect").locate_file("")))


@dataclass(frozen=True)
class Environment:
    """A Python of its own."""

    directory: Path

    @classmethod
    def made(cls, directory: Path) -> Environment:
        venv.create(directory, symlinks=True)
        return cls(directory)

    @property
    def site(self) -> Path:
        (site,) = (self.directory / "lib").glob("python*/site-packages")
        return site

    def install(self, wheel: Path) -> None:
        self._pip("install", "--no-index", "--no-deps", str(wheel))

    def uninstall(self, name: str) -> None:
        self._pip("uninstall", "--yes", name)

    def metadata(self, name: str) -> PathDistribution:
        (metadata,) = self.site.glob(f"{name}-*.dist-info")
        return PathDistribution(metadata)

    def share_all(self) -> None:
        """All that is installed where these tests run can be imported too, behind what is installed here."""
        (self.site / "shared.pth").write_text(f"{_PREFECT}\n")

    def run(self, *words: str, code: int = 0, at: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run a program of it, away from the checkout; what it said on both streams."""
        program, *arguments = words
        kept = {"PATH": "/usr/bin:/bin", "HOME": str(self.directory), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        done = subprocess.run(
            [str(self.directory / "bin" / program), *arguments],
            cwd=at or self.directory,
            env=kept,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def python(self, program: str, code: int = 0, at: Path | None = None) -> str:
        return self.run("python", "-c", program, code=code, at=at)

    def _pip(self, *words: str) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(self.directory), "--disable-pip-version-check", *words]
        subprocess.run(pip, check=True, capture_output=True)


def build(project: Path, target: str, to: Path) -> Path:
    """The wheel or the sdist of `project`, built without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(to)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (built,) = to.iterdir()
    return built


def unpacked(sdist: Path, to: Path) -> Path:
    """The directory in which all of the sdist is."""
    to.mkdir()
    subprocess.run(["tar", "-xzf", sdist, "-C", to], check=True)
    (directory,) = to.iterdir()
    return directory


def files_in(wheel: Path) -> set[str]:
    """Paths in the wheel, without those that say what the wheel is."""
    with ZipFile(wheel) as packed:
        return {name for name in packed.namelist() if ".dist-info/" not in name}


def wheel_of(name: str, files: Mapping[str, str], to: Path) -> Path:
    """A wheel of another project, by hand."""
    metadata = f"{name}-1.0.dist-info"
    whole = {
        **files,
        f"{metadata}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{metadata}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{metadata}/RECORD"
    wheel = to / f"{name}-1.0-py3-none-any.whl"
    with ZipFile(wheel, "w") as packed:
        for path, text in whole.items():
            packed.writestr(path, text)
        packed.writestr(record, "".join(f"{path},,\n" for path in [*whole, record]))
    return wheel


def project_at(directory: Path, vacuumdb: str = "echo vacuumed") -> Path:
    """The README's program with the inventory that it names; what it runs is there, and each host is this machine."""
    (directory / "inventories").mkdir(parents=True)
    (directory / "bin").mkdir()
    hosts = "".join(
        f"    {name}: {{ansible_connection: local, remotejobs_dir: {directory}/jobs-{name}}}\n"
        for name in ("db1", "db2")
    )
    (directory / "inventories" / "hosts.yml").write_text(f"all:\n  hosts:\n{hosts}")
    (directory / "bin" / "vacuumdb").write_text(f"#!/bin/sh\n{vacuumdb}\n")
    (directory / "bin" / "vacuumdb").chmod(0o755)
    (directory / "vacuum.py").write_text(program_in("README.md"))
    return directory

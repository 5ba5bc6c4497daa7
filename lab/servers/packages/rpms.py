"""RPM packages for upgrades: a repository of tiny ones, and roots that have them installed, for dnf on Debian too."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_SPEC = """Name: {name}
Version: {version}
Release: 1
Summary: made by the lab
License: none
BuildArch: noarch
%description
made by the lab
%post -p <lua>
{post}
%files
"""


class RpmRepository:
    """Packages in `directory`, and their index."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True)

    def add(self, name: str, version: str, *, post: str = "") -> Path:
        """Build `name` of that version; `post` is Lua that runs when it is installed, with the root as its /."""
        spec = self.directory.with_name(f"{name}.spec")
        spec.write_text(_SPEC.format(name=name, version=version, post=post or "--"))
        places = {"_topdir": self.directory.with_name("build"), "_rpmdir": self.directory}
        words = [word for key, value in places.items() for word in ("--define", f"{key} {value}")]
        subprocess.run(["rpmbuild", "-bb", "--quiet", *words, spec], check=True, capture_output=True)
        subprocess.run(["createrepo_c", "--quiet", self.directory], check=True, capture_output=True)
        return self.directory / "noarch" / f"{name}-{version}-1.noarch.rpm"


class RpmRoot:
    """A directory that `dnf` and `rpm` take for the whole system, when they are found by the PATH of `environment`."""

    def __init__(self, directory: Path, repository: RpmRepository) -> None:
        self.directory = directory
        self._bin = directory / "bin"
        self._bin.mkdir(parents=True)
        self._root = directory / "root"
        self._root.mkdir()
        lines = [
            "[main]",
            f"reposdir={directory}/none",
            f"cachedir={directory}/cache",
            f"logdir={directory}/log",
            f"persistdir={directory}/persist",
            "plugins=0",
            "[lab]",
            "name=lab",
            f"baseurl=file://{repository.directory}",
            "gpgcheck=0",
        ]
        config = directory / "dnf.conf"
        config.write_text("\n".join(lines) + "\n")
        self._program("dnf", f"/usr/bin/dnf -c {config} --installroot {self._root} --releasever 1")
        self._program("rpm", f"/usr/bin/rpm --root {self._root}")

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self._bin}:{os.defpath}:/usr/sbin:/sbin"}

    def inside(self, path: str) -> Path:
        """What a script of a package calls `path`."""
        return self._root / path.lstrip("/")

    def install(self, package: Path) -> None:
        subprocess.run([self._bin / "rpm", "-i", package], check=True, capture_output=True)

    def installed(self) -> list[str]:
        """Name and version of every package."""
        words = [str(self._bin / "rpm"), "-qa", "--qf", "%{NAME} %{VERSION}\n"]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()

    def _program(self, name: str, command: str) -> None:
        path = self._bin / name
        # Debian's rpm keeps its database in the home.
        path.write_text(f'#!/bin/sh\nHOME=/ exec {command} "$@"\n')
        path.chmod(0o755)

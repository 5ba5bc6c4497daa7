"""Debian packages for upgrades: a repository of tiny ones in a directory, and roots that have them installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

_RELEASE = "Architectures: all\nSuite: lab\n"


class Repository:
    """Packages in `directory` and their index, as apt reads them from `deb [trusted=yes] file:DIRECTORY ./`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "Release").write_text(_RELEASE)
        (directory / "Packages").write_text("")

    def add(self, name: str, version: str, *, postinst: str = "") -> Path:
        """Build `name` of that version; `postinst` is shell text that runs when it is configured."""
        tree = self.directory / "build"
        (tree / "DEBIAN").mkdir(parents=True)
        control = [
            f"Package: {name}",
            f"Version: {version}",
            "Architecture: all",
            "Maintainer: lab <lab@localhost>",
            "Description: made by the lab",
        ]
        (tree / "DEBIAN" / "control").write_text("\n".join(control) + "\n")
        (tree / "DEBIAN" / "postinst").write_text(f"#!/bin/sh\nset -e\n{postinst}\n")
        (tree / "DEBIAN" / "postinst").chmod(0o755)
        package = self.directory / f"{name}_{version}_all.deb"
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, package], check=True, capture_output=True)
        shutil.rmtree(tree)
        content = package.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        entry = [*control, f"Filename: ./{package.name}", f"Size: {len(content)}", f"SHA256: {digest}", "", ""]
        with (self.directory / "Packages").open("a") as index:
            index.write("\n".join(entry))
        return package


class AptRoot:
    """A directory that apt and dpkg take for the whole system, when they run with `environment`."""

    def __init__(self, directory: Path, repository: Repository) -> None:
        self.directory = directory
        self._config = directory / "apt.conf"
        for name in (
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/lib/dpkg/triggers",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/log/apt",
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
        ):
            (directory / name).mkdir(parents=True)
        self.status.write_text("")
        (directory / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{repository.directory} ./\n")
        lines = [
            f'Dir "{directory}/";',
            f'Dir::State::status "{self.status}";',
            'Dir::Bin::dpkg "/usr/bin/dpkg";',
            'Dir::Bin::methods "/usr/lib/apt/methods";',
            'APT::Sandbox::User "root";',
            f'DPkg::Options {{ "--root={directory}"; }};',
        ]
        self._config.write_text("\n".join(lines) + "\n")

    @property
    def status(self) -> Path:
        """dpkg's database."""
        return self.directory / "var/lib/dpkg/status"

    @property
    def lock(self) -> Path:
        """Held while apt or dpkg installs."""
        return self.directory / "var/lib/dpkg/lock-frontend"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "APT_CONFIG": str(self._config),
            "DPKG_ROOT": str(self.directory),
            "DPKG_ADMINDIR": str(self.status.parent),
            # Its scripts find no shell in there.
            "DPKG_FORCE": "downgrade,script-chrootless",
        }

    def install(self, package: Path) -> None:
        """As it is on disk, without apt."""
        command = ["dpkg", "--install", str(package)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **self.environment})

    def installed(self, name: str) -> str:
        """dpkg's words on `name`: `install ok installed 1.0`."""
        shown = ["dpkg-query", f"--admindir={self.status.parent}", "-W", "-f", "${Status} ${Version}", name]
        return subprocess.run(shown, check=True, capture_output=True, text=True).stdout

"""An sshd from 9.8 on, which punishes addresses (PerSourcePenalties): the system's, or that of Debian 12's backports.

Nothing is installed: the package is fetched by apt with lists of its own, and unpacked into a directory.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.servers.sshd import SSHD

PUNISHES = (9, 8)
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCE = f"deb [signed-by={KEYRING}] http://deb.debian.org/debian bookworm-backports main\n"


@dataclass(frozen=True, slots=True)
class NewerSshd:
    """Its program, and the lines of sshd_config by which it finds its parts."""

    program: str
    lines: tuple[str, ...] = ()


def newer_sshd(directory: Path) -> NewerSshd:
    """One that is at hand, else fetched into `directory`. `RuntimeError` when what was fetched is too old."""
    if _version(SSHD) >= PUNISHES:
        return NewerSshd(SSHD)
    root = directory / "root"
    _fetch(directory, root)
    program, parts = f"{root}{SSHD}", root / "usr/lib/openssh"
    if _version(program) < PUNISHES:
        raise RuntimeError(f"{program} is older than OpenSSH 9.8")
    return NewerSshd(program, (f"SshdSessionPath {parts}/sshd-session", f"SshdAuthPath {parts}/sshd-auth"))


def _fetch(directory: Path, root: Path) -> None:
    for name in ("lists/partial", "cache/archives/partial"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    (directory / "sources.list").write_text(SOURCE)
    settings = directory / "apt.conf"
    settings.write_text(
        f'Dir::Etc::sourcelist "{directory}/sources.list";\nDir::Etc::sourceparts "-";\n'
        f'Dir::State::lists "{directory}/lists";\nDir::Cache "{directory}/cache";\n'
        'Acquire::Languages "none";\nAPT::Sandbox::User "root";\n'
    )
    for words in (["update", "-qq"], ["download", "-qq", "openssh-server/bookworm-backports"]):
        _run(directory, {"APT_CONFIG": str(settings)}, "apt-get", *words)
    (package,) = directory.glob("openssh-server_*.deb")
    _run(directory, {}, "dpkg-deb", "-x", str(package), str(root))


def _version(program: str) -> tuple[int, int]:
    # Old ones know no -V, and print their version all the same.
    said = subprocess.run([program, "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    match = re.search(r"OpenSSH_(\d+)\.(\d+)", said.stderr)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _run(directory: Path, environment: dict[str, str], *words: str) -> None:
    done = subprocess.run(
        words,
        cwd=directory,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")

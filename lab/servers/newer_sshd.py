"""An OpenSSH from 10.0 on: the system's, or that of Debian 12's backports.

Its sshd punishes addresses (PerSourcePenalties, since 9.8), and its ssh knows Match sessiontype, version and command.

Nothing is installed: the package is fetched by apt with lists of its own, and unpacked into a directory.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.servers.sshd import SSHD

NEWER = (10, 0)
SSH = "/usr/bin/ssh"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCE = f"deb [signed-by={KEYRING}] http://deb.debian.org/debian bookworm-backports main\n"


@dataclass(frozen=True, slots=True)
class NewerSshd:
    """Its program, and the lines of sshd_config by which it finds its parts."""

    program: str
    lines: tuple[str, ...] = ()


def newer_sshd(directory: Path) -> NewerSshd:
    """One that is at hand, else fetched into `directory`. `RuntimeError` when what was fetched is too old."""
    program = _newer(SSHD, "openssh-server", directory)
    if program == SSHD:
        return NewerSshd(SSHD)
    parts = Path(program.removesuffix(SSHD)) / "usr/lib/openssh"
    return NewerSshd(program, (f"SshdSessionPath {parts}/sshd-session", f"SshdAuthPath {parts}/sshd-auth"))


def newer_ssh(directory: Path) -> str:
    """The same for the client."""
    return _newer(SSH, "openssh-client", directory)


def _newer(usual: str, package: str, directory: Path) -> str:
    if _version(usual) >= NEWER:
        return usual
    root = directory / "root"
    _fetch(directory, root, package)
    program = f"{root}{usual}"
    if _version(program) < NEWER:
        raise RuntimeError(f"{program} is older than OpenSSH {'.'.join(map(str, NEWER))}")
    return program


def _fetch(directory: Path, root: Path, name: str) -> None:
    for place in ("lists/partial", "cache/archives/partial"):
        (directory / place).mkdir(parents=True, exist_ok=True)
    (directory / "sources.list").write_text(SOURCE)
    settings = directory / "apt.conf"
    settings.write_text(
        f'Dir::Etc::sourcelist "{directory}/sources.list";\nDir::Etc::sourceparts "-";\n'
        f'Dir::State::lists "{directory}/lists";\nDir::Cache "{directory}/cache";\n'
        'Acquire::Languages "none";\nAPT::Sandbox::User "root";\n'
    )
    for words in (["update", "-qq"], ["download", "-qq", f"{name}/bookworm-backports"]):
        _run(directory, {"APT_CONFIG": str(settings)}, "apt-get", *words)
    (package,) = directory.glob(f"{name}_*.deb")
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

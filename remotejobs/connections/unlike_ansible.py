"""Variables by which Ansible chooses other programs on the way to a host: honoured where possible, or refused."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePath

from remotejobs.errors import UsageError
from remotejobs.inventory.variables import HostLike, text

# Any shell that a login may have is left at once for `sh -s`; only Windows' shells cannot do that.
_SHELLS = frozenset({"", "sh", "bash", "dash", "ksh", "zsh", "mksh", "ash", "fish", "csh", "tcsh"})
_PROGRAM = re.compile(r"[\w/][\w./+-]*")
_OWN_FLAGS = frozenset("HSn")  # what we give sudo ourselves, as Ansible does by default


def check_shell(host: HostLike) -> None:
    """`UsageError` where `ansible_shell_type` is none of Unix."""
    kind = text(host, "ansible_shell_type")
    if kind not in _SHELLS:
        raise UsageError(
            f"{host.name}: ansible_shell_type is {kind!r}", remedy="Jobs run under sh: only Unix hosts can have them."
        )


def ssh_program(host: HostLike) -> str:
    """The program that `ansible_ssh_executable` names, `ssh` without it."""
    return text(host, "ansible_ssh_executable") or "ssh"


def check_no_other_ssh(host: HostLike) -> None:
    """`UsageError` where `ansible_ssh_executable` names what is no OpenSSH, for a way that runs no program."""
    program = ssh_program(host)
    if PurePath(program).name != "ssh":
        raise UsageError(
            f"{host.name}: ansible_ssh_executable is {program!r}, which no program is run for",
            remedy="Set remotejobs_transport: openssh, which runs it.",
        )


def sudo_program(host: HostLike) -> str:
    """The program that `ansible_become_exe` names, `sudo` without it. `UsageError` for more than a program's name."""
    program = text(host, "ansible_sudo_exe", "ansible_become_exe") or "sudo"
    if not _PROGRAM.fullmatch(program):
        raise UsageError(
            f"{host.name}: ansible_become_exe is {program!r}", remedy="It must be a program's name or path."
        )
    return program


def check_sudo_flags(host: HostLike) -> None:
    """`UsageError` where `ansible_become_flags` asks for more of sudo than it is given anyway."""
    flags = text(host, "ansible_sudo_flags", "ansible_become_flags")
    try:
        words = shlex.split(flags)
    except ValueError as exc:
        raise UsageError(f"{host.name}: ansible_become_flags is not whole", remedy="Close the quotation mark.") from exc
    if not all(word.startswith("-") and word[1:] and set(word[1:]) <= _OWN_FLAGS for word in words):
        raise UsageError(
            f"{host.name}: ansible_become_flags is {flags!r}",
            remedy="sudo is given -H and either -S or -n; write other wishes into its sudoers.",
        )

"""Throw-away users of this machine, to log in and become as; needs root."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import guard

LOCK = Path("/run/lock/remotejobs-lab-users")
SUDOERS = Path("/etc/sudoers.d")


@dataclass(frozen=True, slots=True)
class LabUser:
    """`with LabUser.unique("fish", shell="/usr/bin/fish") as user:`; nothing is left of that user or of its processes.

    `sudo` is the right side of a sudoers rule, such as `ALL=(ALL) NOPASSWD: ALL`; "" gives no right at all. An `odd`
    name is one that only directories have; such a user has no home.
    """

    name: str
    shell: str = "/bin/sh"
    password: str = ""
    sudo: str = ""
    odd: bool = False

    @classmethod
    def unique(cls, purpose: str, *, shell: str = "/bin/sh", password: str = "", sudo: str = "") -> Self:
        """A user whose name no other test run on this machine uses."""
        return cls(f"rjlab-{purpose}-{os.getpid()}", shell, password, sudo)

    def __enter__(self) -> Self:
        guard.enter("user", self.name)
        guard.enter("file", self._rule)
        home = ["--badname", "--no-create-home", "--gid", "nogroup"] if self.odd else ["--create-home"]
        _run("useradd", *home, "--shell", self.shell, self.name)
        # `*`: no password, but not locked either, for a locked user cannot log in with a key.
        _run("usermod", "--password", "*", self.name)
        if self.password:
            _run("chpasswd", given=f"{self.name}:{self.password}\n")
        if self.sudo:
            # Asked every time, so that no test lives on the password of another.
            self._rule.write_text(f"Defaults:{self.name} timestamp_timeout=0\n{self.name} {self.sudo}\n")
            self._rule.chmod(0o440)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A process that is left would go on under a number that the next user gets.
        while subprocess.run(["pkill", "--signal", "KILL", "--uid", self.name], check=False).returncode == 0:
            time.sleep(0.01)
        self._rule.unlink(missing_ok=True)
        _run("userdel", "--force", *([] if self.odd else ["--remove"]), self.name)
        guard.leave("file", self._rule)
        guard.leave("user", self.name)

    @property
    def _rule(self) -> Path:
        return SUDOERS / self.name


def _run(*words: str, given: str = "") -> None:
    with LOCK.open("w") as lock:
        # useradd does not wait for another useradd: it fails.
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    # userdel returns 12 when there was no mail spool to remove.
    if done.returncode not in (0, 12):
        raise RuntimeError(f"{words[0]} failed ({done.returncode}), is this root? {done.stderr.strip()}")

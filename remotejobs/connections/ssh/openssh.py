"""The system's own ssh as the way to a host: what paramiko cannot do, such as FIDO keys, GSSAPI, PKCS#11, chacha20.

One master connection for each host (ControlMaster), opened on first use; every exchange is a session on it by another
ssh. ssh reads ssh_config, known_hosts and the agent by itself, so that nothing of it is interpreted here.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from remotejobs.connections.base import Become, Reply
from remotejobs.connections.become import sudo_words
from remotejobs.connections.discreet import discreet
from remotejobs.connections.exchange import Exchange
from remotejobs.connections.local import ShellProcess
from remotejobs.connections.ssh.backoff import Backoff
from remotejobs.connections.ssh.config.arguments import arguments_of
from remotejobs.connections.ssh.endpoint import check_address
from remotejobs.connections.ssh.resolve import asked_name
from remotejobs.connections.unlike_ansible import ssh_program
from remotejobs.errors import (
    AuthenticationFailed,
    ConnectionLost,
    ConnectionRefused,
    HostError,
    HostKeyChanged,
    HostKeyUnknown,
    LoginCutOff,
    NameUnknown,
    NoCommonAlgorithm,
    TimedOut,
    TurnedAway,
    Unreachable,
    UsageError,
)
from remotejobs.inventory.variables import Host, text

SESSIONS = 8  # as over paramiko: sshd allows ten
IDLE = 120  # seconds after which a master that nobody uses ends by itself, also when we were killed
WITHIN = 90.0  # seconds for a master to log in; ConnectTimeout bounds its parts
_FAILED = 255  # ssh's own exit status for everything that is not the command's
_LONGEST = 107  # bytes of a socket's path: sun_path of <sys/un.h> without its end
_LISTENING = 17  # ssh listens under the name with `.` and sixteen letters behind it first, and renames that

# What ssh says, in its order of precedence, and what that means.
_MEANINGS: tuple[tuple[str, type[HostError]], ...] = (
    (r"REMOTE HOST IDENTIFICATION HAS CHANGED|is revoked|revoked by file", HostKeyChanged),
    (
        r"Host key verification failed|host key is known for|Certificate invalid|^KnownHostsCommand failed",
        HostKeyUnknown,
    ),
    (r"Could not resolve hostname", NameUnknown),
    (r"open failed: ", Unreachable),
    (r"connect to host .*: Connection refused", ConnectionRefused),
    (r"Connection timed out|Operation timed out|banner exchange: .* timed out", TimedOut),
    (r"Unable to negotiate|no matching .* found", NoCommonAlgorithm),
    (r"Not allowed at this time|Exceeded MaxStartups", TurnedAway),
    (r"Permission denied|Too many authentication failures|Authentication failed|Access denied", AuthenticationFailed),
    (r"kex_exchange_identification|Broken pipe|Disconnected|Connection .* by UNKNOWN", ConnectionLost),
    (r"Connection (closed|reset) by", LoginCutOff),
    (r"Connection (closed|reset)", ConnectionLost),
)
# Its lines are quoted without those that only frame or repeat what another one says.
_FRAME = re.compile(
    r"@|IT IS POSSIBLE|Someone could|It is also possible|Please contact|Add correct host key|Warning: Permanently added"
    r"|Host key verification failed|remove with:|ssh-keygen -f|Password authentication is|Keyboard-interactive auth"
)
_QUOTED = 600  # characters
_BEHIND_SOMEBODY = "UNKNOWN port 65535"
_TOO_MANY_KEYS = "Too many authentication failures"


class OpenSshConnection:
    """Implements `remotejobs.connections.base.Connection` by the program ssh."""

    def __init__(self, host: Host, *, retry_for: float) -> None:
        self.host = host.name
        self._name = asked_name(host)
        check_address(host.name, self._name)
        arguments = arguments_of(host)
        self._options = ["-F", arguments.config] if arguments.config else []
        for option in arguments.options:
            value = f'"{option.value}"' if option.key in ("certificatefile", "identityfile") else option.value
            self._options += ["-o", f"{option.key}={value}"]
        self._password = text(host, "ansible_password", "ansible_ssh_pass", "ansible_ssh_password") or None
        self._ssh = ssh_program(host)
        self._retry_for = retry_for
        self._discreetly = partial(discreet, host)
        self._opening = threading.Lock()
        self._sessions = threading.BoundedSemaphore(SESSIONS)
        self._directory: Path | None = None

    def ask(self, script: bytes, *, end: bytes, become: Become | None, timeout: float, max_bytes: int) -> Reply:
        """See `remotejobs.connections.base.Connection.ask`. `timeout` begins anew when the script is sent again."""
        command = "exec sh -s" if become is None else shlex.join(sudo_words(become))
        backoff = Backoff(self._retry_for)
        while True:
            exchange = Exchange(self.host, script, end=end, become=become, max_bytes=max_bytes)
            try:
                return self._ask_once(command, exchange, timeout)
            except ConnectionLost as lost:
                backoff.wait_or_raise(lost)

    def close(self) -> None:
        """End the master; a later `ask` opens another."""
        with self._opening:
            directory, self._directory = self._directory, None
        if directory is not None:
            self._end(directory)

    def is_alive(self) -> bool:
        """Whether there is a master and it answers."""
        directory = self._directory
        return directory is not None and self._lives(directory)

    def subsystem(self, name: str, stream: socket.socket) -> subprocess.Popen[bytes]:
        """Start a subsystem of sshd, such as sftp, with `stream` as its input and output."""
        words = [*self._session(self._open()), "-s", self._name, name]
        return subprocess.Popen(
            words, stdin=stream.fileno(), stdout=stream.fileno(), stderr=subprocess.DEVNULL, start_new_session=True
        )

    def _ask_once(self, command: str, exchange: Exchange, timeout: float) -> Reply:
        with self._sessions:
            directory = self._open()
            try:
                with ShellProcess(self.host, [*self._session(directory), self._name, command]) as shell:
                    shell.converse(exchange, timeout)
                    lost = not exchange.ended and (shell.ended_with() == _FAILED or not self._lives(directory))
            except TimedOut:
                # Nothing may come of this master any more; those who are still asking over it will ask again.
                self._drop(directory)
                raise
            if lost:
                self._drop_if_dead(directory)
                raise ConnectionLost(self.host, "the connection ended in the middle of the answer")
            return exchange.reply()

    def _session(self, directory: Path) -> list[str]:
        """Over the master and in no other way: a ssh that finds none would log in by itself."""
        only = ["-o", "ControlMaster=no", "-o", "ProxyCommand=exit 1", "-o", "BatchMode=yes"]
        return [self._program(), "-F", "none", "-S", str(directory / "m"), *only, "-T", "-o", "LogLevel=ERROR"]

    def _open(self) -> Path:
        """The directory of the master's socket; several threads wait for the one that opens it."""
        with self._opening:
            if self._directory is None:
                with self._discreetly():
                    self._directory = self._log_in()
            return self._directory

    def _log_in(self) -> Path:
        directory = _socket_directory()
        try:
            persist = ["-o", f"ControlPersist={IDLE}", "-S", str(directory / "m")]
            with self._asking(directory) as (more, environment):
                last = [*self._options, "-T", "-o", "NumberOfPasswordPrompts=1", *more, "--", self._name]
                # It goes to the background, and this one ends, when it is logged in and listens.
                code, told = self._run([*persist, "-M", "-N", "-f", *last], environment, directory)
                if code and _BEHIND_SOMEBODY in told:
                    # With ControlPersist ssh throws away what a ProxyCommand and a jump host say.
                    failed, aloud = self._run(["-S", "none", *last, "exit 0"], environment, directory)
                    told = aloud if failed else told
            if code:
                raise self._failure(told)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        return directory

    def _run(self, words: list[str], environment: dict[str, str], directory: Path) -> tuple[int, str]:
        """The exit status and what was said; into a file, for a pipe would stay open in the background."""
        with (directory / "words").open("w+b") as said:
            try:
                done = subprocess.run(
                    [self._program(), *words],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said.fileno(),
                    start_new_session=True,
                    timeout=WITHIN,
                    check=False,
                )
            except subprocess.TimeoutExpired as exc:
                raise TimedOut(self.host, f"ssh {self._name} was not logged in within {WITHIN:g} s") from exc
            said.seek(0)
            return done.returncode, said.read().decode("utf-8", "replace")

    @contextmanager
    def _asking(self, directory: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
        """How ssh gets the password: by a program that reads it from a pipe, so that it stands nowhere."""
        if self._password is None:
            yield ["-o", "BatchMode=yes"], dict(os.environ)
            return
        pipe, program = directory / "p", directory / "ask"
        os.mkfifo(pipe, 0o600)
        # Never for the question whether a key is to be trusted.
        program.write_text(
            f"#!/bin/sh\ncase $1 in *yes/no*) exit 1;; esac\nIFS= read -r word <{shlex.quote(str(pipe))} || exit 1\n"
            "printf '%s\\n' \"$word\"\n"
        )
        program.chmod(0o700)
        # Open for both, so that neither side waits for the other.
        writer = os.open(pipe, os.O_RDWR | os.O_CLOEXEC)
        try:
            # Once for each of the two methods that may ask for it.
            os.write(writer, 2 * (self._password.encode() + b"\n"))
            yield [], {**os.environ, "SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
        finally:
            os.close(writer)

    def _failure(self, said: str) -> HostError | UsageError:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        if any("Bad configuration option" in line or "terminating," in line for line in lines):
            return UsageError(
                f"{self.host}: {lines[-1].rstrip('.')}", remedy=f"Correct it until `ssh {self._name}` works."
            )
        quoted = [line.rstrip(".") for line in lines if not _FRAME.match(line)] or [line.rstrip(".") for line in lines]
        message = f"ssh says: {'; '.join(quoted)[-_QUOTED:] or 'nothing'}"
        for pattern, kind in _MEANINGS:
            if any(re.search(pattern, line) for line in lines):
                remedy = "Name the right key and set IdentitiesOnly=yes." if _TOO_MANY_KEYS in said else None
                return kind(self.host, message, remedy=remedy)
        return Unreachable(self.host, message)

    def _drop_if_dead(self, directory: Path) -> None:
        """A session that failed may have been refused alone (MaxSessions)."""
        if not self._lives(directory):
            self._drop(directory)

    def _lives(self, directory: Path) -> bool:
        check = [*self._session(directory), "-O", "check", self._name]
        return not subprocess.run(check, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode

    def _drop(self, directory: Path) -> None:
        with self._opening:
            if self._directory == directory:
                self._directory = None
        self._end(directory)

    def _program(self) -> str:
        if (found := shutil.which(self._ssh)) is None:
            raise UsageError(
                f"{self.host}: the transport openssh needs the program {self._ssh}", remedy="Install OpenSSH's client."
            )
        return found

    def _end(self, directory: Path) -> None:
        leave = [*self._session(directory), "-O", "exit", self._name]
        subprocess.run(leave, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        shutil.rmtree(directory, ignore_errors=True)


def _socket_directory() -> Path:
    """A directory of ours alone, where the path of a socket fits: Unix has 107 bytes for one, TMPDIR may have more."""
    usual = Path(tempfile.gettempdir())
    fits = len(os.fsencode(usual)) + len("/rj-ssh-12345678/m") + _LISTENING <= _LONGEST
    return Path(tempfile.mkdtemp(prefix="rj-ssh-", dir=usual if fits else "/tmp"))  # noqa: S108 - ours alone

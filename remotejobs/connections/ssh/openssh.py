"""The system's own ssh as the way to a host: what paramiko cannot do, such as FIDO keys, GSSAPI, PKCS#11, chacha20.

One master connection for each host (ControlMaster), opened on first use; every exchange is a session on it by another
ssh. ssh reads ssh_config, known_hosts and the agent by itself, so that nothing of it is interpreted here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from remotejobs.connections.base import Question, Reply
from remotejobs.connections.discreet import discreet
from remotejobs.connections.exchange import Exchange
from remotejobs.connections.local import ShellProcess
from remotejobs.connections.ssh.backoff import ask_until_answered
from remotejobs.connections.ssh.config.arguments import Option, arguments_of
from remotejobs.connections.ssh.config.jumps import parse_jumps
from remotejobs.connections.ssh.config.program import version_of
from remotejobs.connections.ssh.config.reader import read
from remotejobs.connections.ssh.endpoint import check_address, check_user
from remotejobs.connections.ssh.login.askpass import MARKED, answering, check_word, was_asked
from remotejobs.connections.ssh.openssh_directory import SocketDirectory, socket_directory
from remotejobs.connections.ssh.openssh_jumps import without_banners
from remotejobs.connections.ssh.openssh_query import SshQuery
from remotejobs.connections.ssh.openssh_run import GivenUp, SshOutput, run_to_its_end
from remotejobs.connections.ssh.openssh_says import BEHIND_SOMEBODY, Login, failure
from remotejobs.connections.ssh.resolve import asked_name
from remotejobs.connections.unlike_ansible import ssh_program
from remotejobs.errors import (
    ConnectionLost,
    StartFailed,
    TimedOut,
    Unreachable,
    UsageError,
)
from remotejobs.inventory.variables import HostLike, text

SESSIONS = 8  # as over paramiko: sshd allows ten
IDLE = 120  # seconds after which an unused master ends by itself, also when we were killed
WITHIN = 90.0  # seconds for a master to log in; ConnectTimeout bounds its parts
ANSWERS_WITHIN = 10.0  # seconds for a master that is asked whether it lives, or to end
_FAILED = 255  # ssh's own exit status for everything that is not the command's

# Whatever ssh_config says: what is said must be heard, and a login for jobs listens nowhere and carries no network.
_FOR_JOBS = ("LogLevel=INFO", "ClearAllForwardings=yes", "Tunnel=no")
_IN_PLACE_OF_A_VERSION = "LogVerbose=*:kex_exchange_identification():*"
# As Ansible does where ansible_ssh_pkcs11_provider is set: the password is the token's PIN, and goes to no host.
_BY_TOKEN = ("PreferredAuthentications=publickey", "KbdInteractiveAuthentication=no", "PasswordAuthentication=no")

# What a job's session asks for; it ends by itself where nothing is sent.
_SHELL = "exec sh -s"
_JOB = ("-o", "RemoteCommand=none")
_OF_SESSIONS = frozenset(["command", "sessiontype"])  # Match, from OpenSSH 10.0 on

_NO_ROOM = "Nothing was asked. See the limits of processes, files and disk space (ulimit -a), or use fewer forks."


class OpenSshConnection:
    """Implements `remotejobs.connections.base.Connection` by the program ssh."""

    def __init__(self, host: HostLike, *, retry_for: float) -> None:
        self.host = host.name
        self._name = asked_name(host)
        check_address(host.name, self._name)
        arguments = arguments_of(host)
        self._config = arguments.config
        self._options: list[str] = []
        for option in arguments.options:
            _check(host, option)
            value = f'"{option.value}"' if option.key in ("certificatefile", "identityfile") else option.value
            self._options += ["-o", f"{option.key}={value}"]
        self._password = text(host, "ansible_password", "ansible_ssh_pass", "ansible_ssh_password") or None
        check_word(host.name, self._password or "")
        self._opens_token = self._password is not None and bool(text(host, "ansible_ssh_pkcs11_provider"))
        self._ssh = ssh_program(host)
        self._retry_for = retry_for
        self._discreetly = partial(discreet, host)
        self._opening = threading.Lock()
        self._given_up = threading.Event()  # set while the login that is under way is not wanted any more
        self._sessions = threading.BoundedSemaphore(SESSIONS)
        self._directory: SocketDirectory | None = None

    def ask(self, question: Question) -> Reply:
        """See `remotejobs.connections.base.Connection.ask`. The timeout begins anew when the script is sent again."""
        return ask_until_answered(self._ask_once, self.host, question, self._retry_for)

    def close(self) -> None:
        """End the master, also one that is logging in, at a host that may hang; a later `ask` opens another."""
        self._given_up.set()
        with self._opening:
            self._given_up.clear()
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
        try:
            return subprocess.Popen(
                words, stdin=stream.fileno(), stdout=stream.fileno(), stderr=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as exc:
            raise self._no_room(exc) from exc

    def _ask_once(self, command: str, exchange: Exchange, timeout: float) -> Reply:
        with self._sessions:
            directory = self._open()
            try:
                with self._shell([*self._session(directory), self._name, command]) as shell:
                    shell.converse(exchange, timeout)
                    refused = not exchange.ended and shell.ended_with() == _FAILED
            except TimedOut:
                # Nothing may come of this master any more; those still asking over it will ask again.
                self._drop(directory)
                raise
            # What is incomplete may have been lost with the master, whatever it said of the exit status; and a session
            # may have been refused alone (MaxSessions).
            if dead := not exchange.ended and not self._lives(directory):
                self._drop(directory)
            if dead or refused:
                raise ConnectionLost(self.host, "the connection ended in the middle of the answer")
            return exchange.reply()

    def _shell(self, words: list[str]) -> ShellProcess:
        try:
            return ShellProcess(self.host, words)
        except StartFailed as exc:
            # It is this machine that has no room; the host was not asked.
            raise Unreachable(self.host, exc.message.partition(": ")[2], remedy=_NO_ROOM) from exc

    def _session(self, directory: SocketDirectory) -> list[str]:
        """Over the master and in no other way: a ssh that finds none would log in by itself."""
        only = ["-o", "ControlMaster=no", "-o", "ProxyCommand=exit 1", "-o", "BatchMode=yes"]
        return [self._program(), "-F", "none", "-S", str(directory.socket), *only, "-T", "-o", "LogLevel=ERROR"]

    def _no_room(self, exc: OSError) -> Unreachable:
        return Unreachable(self.host, f"ssh could not be run on this machine: {exc.strerror or exc}", remedy=_NO_ROOM)

    def _open(self) -> SocketDirectory:
        """The directory of the master's socket; several threads wait for the one that opens it."""
        with self._opening:
            if self._directory is None:
                with self._discreetly():
                    self._directory = self._log_in()
            return self._directory

    def _log_in(self) -> SocketDirectory:
        try:
            directory = socket_directory()
            try:
                self._become_master(directory)
            except BaseException:
                directory.remove()
                raise
        except OSError as exc:
            raise self._no_room(exc) from exc
        return directory

    def _become_master(self, directory: SocketDirectory) -> None:
        files = ["-F", self._config] if self._config else []
        persist = ["-o", f"ControlPersist={IDLE}", "-S", str(directory.socket)]
        with self._asking(directory) as (before, more, environment):
            program = [*before, self._program(), "-E", str(directory.path / "log")]
            fixed = [word for option in (*_FOR_JOBS, *self._verbose()) for word in ("-o", option)]
            given = [*fixed, *more, *self._options, "-T", "-o", "NumberOfPasswordPrompts=1", "--", self._name]
            # It goes to the background, and this one ends, when it is logged in and listens.
            master = [*program, *files, *persist, "-M", "-f", *self._as_for_a_job(given)]
            code, heard = self._run(master, environment, directory)
            query = SshQuery(self._program(), [*files, *given], environment)
            login = Login(self.host, self._name, heard, query, trusted=was_asked(directory.path))
            if code and BEHIND_SOMEBODY in heard.log:
                # With ControlPersist ssh throws away what a ProxyCommand and a jump host say.
                quiet = without_banners(directory.path, self._config, verbose=bool(self._verbose()))
                aloud = [*program, *(quiet or files), "-S", "none", *_JOB, *given, _SHELL]
                failed, heard = self._run(aloud, environment, directory)
                if failed:
                    by_jumps = bool(quiet) and query.goes_by_jumps()
                    trusted = was_asked(directory.path)
                    login = Login(self.host, self._name, heard, query, by_jumps=by_jumps, trusted=trusted)
        if code:
            raise failure(login)

    def _as_for_a_job(self, given: list[str]) -> list[str]:
        """No session of the master's own, but where blocks of ssh_config count for sessions of one kind."""
        with contextlib.suppress(UsageError):  # ssh says it better
            if read(self._config, Path.home()).criteria & _OF_SESSIONS:
                return [*_JOB, *given, _SHELL]
        return ["-N", *given]

    def _verbose(self) -> list[str]:
        """Have what a server says in place of its version logged, where ssh can do that."""
        return [_IN_PLACE_OF_A_VERSION] if version_of(self._program()) >= (8, 5) else []

    def _run(self, words: list[str], environment: dict[str, str], directory: SocketDirectory) -> tuple[int, SshOutput]:
        log = directory.path / "log"
        try:
            return run_to_its_end(words, environment, log, WITHIN, self._given_up)
        except GivenUp as exc:
            # Not as one that was lost, which would be opened once more.
            raise Unreachable(self.host, "the connection was closed here while it was opened") from exc
        except subprocess.TimeoutExpired as exc:
            raise TimedOut(self.host, f"ssh {self._name} was not logged in within {WITHIN:g} s") from exc

    @contextmanager
    def _asking(self, directory: SocketDirectory) -> Iterator[tuple[list[str], list[str], dict[str, str]]]:
        """What stands before ssh, its options and its environment, so that it has the password if there is one."""
        if self._password is None:
            yield [], ["-o", "BatchMode=yes"], dict(os.environ)
            return
        more = [word for option in _BY_TOKEN if self._opens_token for word in ("-o", option)]
        with answering(directory.path, self._password, as_pin=self._opens_token) as environment:
            yield [*MARKED], more, {**os.environ, **environment}

    def _lives(self, directory: SocketDirectory) -> bool:
        return self._control(directory, "check")

    def _control(self, directory: SocketDirectory, what: str) -> bool:
        """Whether the master did it; a stopped one does not answer. `Unreachable` where ssh cannot run."""
        words = [*self._session(directory), "-O", what, self._name]
        try:
            null = subprocess.DEVNULL
            done = subprocess.run(words, stdin=null, capture_output=True, check=False, timeout=ANSWERS_WITHIN)
        except subprocess.TimeoutExpired:
            return False
        except OSError as exc:
            raise self._no_room(exc) from exc
        return not done.returncode

    def _drop(self, directory: SocketDirectory) -> None:
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

    def _end(self, directory: SocketDirectory) -> None:
        # A master that cannot be asked ends by itself when it was not used for `IDLE` seconds.
        with contextlib.suppress(Unreachable, UsageError):
            self._control(directory, "exit")
        directory.remove()


def _check(host: HostLike, option: Option) -> None:
    """ssh gives these words to a shell, in a ProxyCommand or for a ProxyJump."""
    if option.key == "user":
        check_user(host.name, option.value)
    if option.key == "proxyjump":
        for jump in parse_jumps(option.value, option.place):
            check_address(host.name, jump.name)
            if jump.user:
                check_user(host.name, jump.user)

"""Everything that can go wrong, named. An exception's docstring is its default remedy.

Three families that are never mixed up: the host could not be asked (`Unreachable`), the host was asked
and refused (`HostRefused` and its children), the caller asked for something impossible (`UsageError`).
None of them says that a job failed: a job's end is a `Record`, not an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from remotejobs.renamed import renamed_names
from remotejobs.text import visible


class RemoteJobsError(Exception):
    """Base of every error that this package raises on purpose."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__()
        self.say(message, " ".join((self.__doc__ or "").split()) if remedy is None else remedy)

    def say(self, message: str, remedy: str) -> None:
        """Give it these words."""
        self.message = message
        self.remedy = remedy
        self.args = (f"{message}. {remedy}" if remedy else message,)

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args, self.__dict__)


def _remade(kind: type[RemoteJobsError], args: tuple[Any, ...], state: dict[str, Any]) -> RemoteJobsError:
    """Unpickle without calling `__init__`, whose arguments differ from class to class (Prefect persists exceptions)."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class UsageError(RemoteJobsError):
    """Correct the named value and try again."""


class PrefectMissing(RemoteJobsError, ImportError):
    """Install it: pip install 'remotejobs[prefect]'"""


class WebMissing(UsageError, ImportError):
    """Install them: pip install 'remotejobs[web]'"""


class InvalidJob(UsageError):
    """A jid is a letter or digit and then at most 99 of letters, digits, dot, underscore, hyphen."""


class HostError(RemoteJobsError):
    """Base of the errors that concern one host. Its own words in the message cannot command a terminal."""

    transient: ClassVar[bool] = False  # whether the same question may be answered a little later

    def __init__(self, host: str, message: str, *, remedy: str | None = None) -> None:
        self.host = host
        super().__init__(visible(f"{host}: {message}"), remedy=None if remedy is None else visible(remedy))


class Unreachable(HostError):
    """Nothing is known about the job: it may run on. Ask again when the host can be reached."""

    transient = True


class NameUnknown(Unreachable):
    """Check the host's name, or set ansible_host to its address."""


class ConnectionRefused(Unreachable):
    """Check that sshd runs there and that ansible_port is right."""


class TimedOut(Unreachable):
    """Check the network and the host's load; ConnectTimeout sets how long to try."""


class ConnectionLost(Unreachable):
    """The connection ended in the middle of an answer; a job that was started runs on. Ask again."""


class LoginCutOff(ConnectionLost):
    """sshd hung up in the middle of the login. Its log there, and PAM's, say why."""


class TurnedAway(ConnectionLost):
    """sshd had too many logins at a time (MaxStartups), or punishes this address (PerSourcePenalties). Ask later."""


class AuthenticationFailed(Unreachable):
    """Check ansible_user and the key (ansible_ssh_private_key_file, IdentityFile or the agent)."""

    transient = False


class NoCommonAlgorithm(Unreachable):
    """Allow one algorithm on both sides."""

    transient = False


class HostKeyUnknown(Unreachable):
    """Verify the key and add it with ssh-keyscan to known_hosts, or set StrictHostKeyChecking=accept-new."""

    transient = False


class HostKeyChanged(Unreachable):
    """Somebody may be intercepting the connection. Verify the new key before removing the old with ssh-keygen -R."""

    transient = False


class HostRefused(HostError):
    """The host answered and said no."""


class BecomeFailed(HostRefused):
    """Check the become user, its password and the sudoers rule on the host."""


class JobNotFound(HostRefused):
    """`remotejobs list` shows the jobs there; a job belongs to the become user that started it."""


class JobExists(HostRefused):
    """Choose another jid, or start the same command to attach to the job that is there."""


class StartFailed(HostRefused):
    """The command was not run. Mend the cause on the host and start the same jid again."""


class OtherHost(HostRefused):
    """Ask that host of it. Hosts that share a home need a directory each: let remotejobs_dir hold a name, as in
    ~/.remotejobs-{{ inventory_hostname }}. If this host was only given a new name, or its container was made anew,
    remove the job's directory, named above, once you have read it."""


class FileRefused(HostRefused):
    """Check the path, its permissions, and the free space on that disk."""


class DirectoryRefused(HostRefused):
    """Each user needs a directory of their own: leave remotejobs_dir out (~/.remotejobs), or let it begin with ~/."""


class ProtocolError(HostError):
    """The answer was not understood, so nothing is claimed. Ask again; if it stays, check the host by hand."""

    transient = True


if not TYPE_CHECKING:  # a misspelt import is to be an error of types
    __getattr__ = renamed_names(
        __name__, {"BadUse": "UsageError", "NoSuchJob": "JobNotFound", "ProtocolDamaged": "ProtocolError"}
    )

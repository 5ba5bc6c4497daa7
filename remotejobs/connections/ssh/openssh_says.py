"""What the program ssh says about a login that failed, and what that means.

Its log holds no words of the server but those that it quotes. So a meaning is tied to the beginning of one of its
messages; nothing is read behind a message that ends with words of the server, which may hold more lines; and what it
passes on, such as a banner, is shown and means nothing.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from remotejobs.connections.ssh.backoff import TURNING_AWAY
from remotejobs.connections.ssh.openssh_mismatch import mismatch
from remotejobs.connections.ssh.openssh_query import SshQuery
from remotejobs.connections.ssh.openssh_run import SshOutput
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

_Meanings = tuple[tuple[str, type[HostError]], ...]

BEHIND_SOMEBODY = "UNKNOWN port 65535"  # the connection that ended is that of a ProxyCommand or a jump host
# What a server said in place of its version; logged on request (LogVerbose) by OpenSSH from 8.5 on.
_IN_ITS_PLACE = r"kex_exchange_identification: banner line \d+: "

_TOO_MANY_KEYS = "Too many authentication failures"
_NOT_LET_IN = f"{_TOO_MANY_KEYS}|Authentication failed|Access denied|Permission denied"  # by servers' own words
_REFUSED = r"channel \d+: open failed: "
_DENIED = r"([^:]+@\S+: )?Permission denied \("  # with the methods that the server names behind it

# What ssh says while it has not accepted the server's key, in the order of precedence, and what that means.
_BEFORE_TRUST: _Meanings = (
    (r"@ +WARNING: (REMOTE HOST IDENTIFICATION HAS CHANGED|REVOKED HOST KEY DETECTED)!", HostKeyChanged),
    (r"(Host|\S+ host) key for \S+ (has changed|was revoked) and you have requested ", HostKeyChanged),
    (r"Host key \S+ \S+ revoked by file ", HostKeyChanged),
    (r"No \S+ host key is known for |Certificate invalid: |KnownHostsCommand failed", HostKeyUnknown),
    (r"Host key verification failed|Error checking host key ", HostKeyUnknown),
    (r"[^:\s]+: Could not resolve hostname ", NameUnknown),
    (rf"{_REFUSED}|stdio forwarding failed", Unreachable),
    (r"[^:\s]+: connect to host .*: Connection refused$", ConnectionRefused),
    (r"[^:\s]+: connect to host .*: (Connection|Operation) timed out$", TimedOut),
    (r"Unable to negotiate with .*: no matching ", NoCommonAlgorithm),
    (rf"{_IN_ITS_PLACE}({'|'.join(TURNING_AWAY)})", TurnedAway),
)
# All these a server can bring about whenever it likes.
_AT_ANY_TIME: _Meanings = (
    (r"Connection timed out during banner exchange|(banner exchange: )?Connection to .* timed out", TimedOut),
    (_DENIED, AuthenticationFailed),
    (rf"Received disconnect from \S+ port \d+:\d+: ({_NOT_LET_IN})", AuthenticationFailed),
    (r"kex_exchange_identification: |Received disconnect from |Disconnected from |.*Broken pipe$", ConnectionLost),
    (rf"(banner exchange: )?Connection (closed|reset) by {BEHIND_SOMEBODY}", ConnectionLost),
    (r"Connection (closed|reset) by ", LoginCutOff),
    (r"(banner exchange: )?Connection (closed|reset)", ConnectionLost),
)
# These end with words of the server.
_QUOTES_IT = re.compile(rf"Received disconnect from |Unable to negotiate with |{_REFUSED}|{_DENIED}|{_IN_ITS_PLACE}")
# Its lines are quoted without those that only frame or repeat what another one says.
_FRAME = re.compile(
    r"@|IT IS POSSIBLE|Someone could|It is also possible|Please contact|Add correct host key|Warning: Permanently added"
    r"|Host key verification failed|remove with:|ssh-keygen -f|Password authentication is|Keyboard-interactive auth"
)
_QUOTED = 600  # characters
_UNOPENED = re.compile(r"pkcs11_|\bpin (required|entry)", re.IGNORECASE)
_TO_OPEN_IT = (
    "The PKCS#11 token was not opened: give its PIN as ansible_password, with ansible_ssh_pkcs11_provider, or have an "
    "agent open it (ssh-add -s)."
)
_AT_THE_SERVER = "See sshd's log there; MaxStartups and penalties do this."
_IN_BETWEEN = "See that the ProxyCommand or the jump host gets there."
_OPTIONS = "Correct the host's options for ssh: ansible_ssh_args, ansible_ssh_common_args, ansible_ssh_extra_args."
_CONFIGURATION = re.compile(r".*: (line \d+: Bad configuration|terminating, \d+ bad)|command-line:? line \d+: ")
# What LogVerbose puts before the lines that it makes ssh log.
_TAG = re.compile(r"(debug\d: )?\S+\.c:(\w+)\(\):\d+ \([^)]*\): ")


@dataclass(frozen=True)
class Login:
    """A login of ssh that failed."""

    host: str
    asked: str
    """The name that ssh was given."""
    heard: SshOutput
    query: SshQuery
    by_jumps: bool = False
    """What came beside its log is by ssh too, the one to a jump host, which passes on no banner."""
    trusted: bool = False
    """It had asked for the password, so it had accepted the key of the server."""

    @property
    def by_hand(self) -> str:
        """The same login as a person makes it."""
        files = self.query.options[:2] if "-F" in self.query.options[:1] else ()
        return shlex.join(["ssh", *files, self.asked])


def failure(login: Login) -> HostError | UsageError:
    """The error that stands for a login that failed; it quotes what says why."""
    own, beside = _own_lines(login.heard.log, trusted=login.trusted), _lines(login.heard.beside)
    if not own and any(map(_CONFIGURATION.match, beside)):
        # Of its command line it complains before it opens its log.
        own, beside = beside, []
    if any(_CONFIGURATION.match(line) and not _QUOTES_IT.match(line) for line in own) and not login.trusted:
        by_options = own[-1].startswith("command-line")
        correct = _OPTIONS if by_options else f"Correct it until `{login.by_hand}` works."
        return UsageError(f"{login.host}: {own[-1].rstrip('.')}", remedy=correct)
    if login.by_jumps:
        own, beside = [*_own_lines(login.heard.beside, trusted=False), *own], []
    kind = _meaning(own, trusted=login.trusted)
    remedy = _remedy(kind, own, login.trusted)
    message = _message(own, beside)
    if kind is NoCommonAlgorithm and not login.by_jumps:
        ours, remedy = mismatch(own[-1], login.query)
        message += ours
    return kind(login.host, message, remedy=remedy)


def _meaning(own: list[str], *, trusted: bool) -> type[HostError]:
    for pattern, kind in _AT_ANY_TIME if trusted else (*_BEFORE_TRUST, *_AT_ANY_TIME):
        if any(re.match(pattern, line) for line in own):
            return kind
    return Unreachable


def _own_lines(log: str, *, trusted: bool) -> list[str]:
    """What ssh says by itself, up to the first message of which more lines may be words of the server.

    To the end of a server that is `trusted`, for whatever it says then is of what it can bring about.
    """
    own: list[str] = []
    for line in _lines(log):
        plain, is_detail = _untagged(line)
        if is_detail and not re.match(_IN_ITS_PLACE, plain):
            continue
        own.append(plain)
        if _QUOTES_IT.match(plain) and not re.match(_IN_ITS_PLACE, plain) and not trusted:
            break
    return own


def _untagged(line: str) -> tuple[str, bool]:
    """A line as ssh says it without LogVerbose, and whether it would not have said it."""
    if (tag := _TAG.match(line)) is None:
        return line, False
    function = f"{tag[2]}: " if tag[2] == "kex_exchange_identification" else ""
    return f"{function}{line[tag.end() :]}", tag[1] is not None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _message(own: list[str], beside: list[str]) -> str:
    quoted = [line for line in own if not _FRAME.match(line)] or own
    message = f"ssh says: {_quoted(quoted) or 'nothing'}"
    return f"{message}; it passed on: {_quoted(beside)}" if beside else message


def _quoted(lines: list[str]) -> str:
    return "; ".join(line.rstrip(".") for line in lines)[-_QUOTED:]


def _remedy(kind: type[HostError], own: list[str], trusted: bool) -> str | None:
    """What helps with such a login; None for the usual advice."""
    if kind is ConnectionLost:
        return _IN_BETWEEN if any(BEHIND_SOMEBODY in line for line in own) else _AT_THE_SERVER
    if kind is not AuthenticationFailed:
        return None
    if any(_TOO_MANY_KEYS in line for line in own):
        return "Name the right key and set IdentitiesOnly=yes."
    return _TO_OPEN_IT if not trusted and any(map(_UNOPENED.search, own)) else None

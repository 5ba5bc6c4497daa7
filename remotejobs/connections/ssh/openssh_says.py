"""What the program ssh says about a login that failed, and what that means."""

from __future__ import annotations

import re

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
BEHIND_SOMEBODY = "UNKNOWN port 65535"  # the connection that ended is that of a ProxyCommand or a jump host
_TOO_MANY_KEYS = "Too many authentication failures"
_UNOPENED = re.compile(r"pkcs11_|\bpin (required|entry)", re.IGNORECASE)
_TO_OPEN_IT = (
    "The PKCS#11 token was not opened: give its PIN as ansible_password, with ansible_ssh_pkcs11_provider, or have an "
    "agent open it (ssh-add -s)."
)
_CONFIGURATION = re.compile(r".*: (line \d+: Bad configuration|terminating, \d+ bad)|command-line:? line \d+: ")


def failure(host: str, asked: str, said: str) -> HostError | UsageError:
    """The error that stands for all that ssh `said` of the login to `asked`; it quotes what says why."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if any(map(_CONFIGURATION.match, lines)):
        return UsageError(f"{host}: {lines[-1].rstrip('.')}", remedy=f"Correct it until `ssh {asked}` works.")
    quoted = [line.rstrip(".") for line in lines if not _FRAME.match(line)] or [line.rstrip(".") for line in lines]
    message = f"ssh says: {'; '.join(quoted)[-_QUOTED:] or 'nothing'}"
    for pattern, kind in _MEANINGS:
        if any(re.search(pattern, line) for line in lines):
            return kind(host, message, remedy=_remedy(said) if kind is AuthenticationFailed else None)
    return Unreachable(host, message)


def _remedy(said: str) -> str | None:
    """What helps with a login that was refused; None for the usual advice."""
    if _TOO_MANY_KEYS in said:
        return "Name the right key and set IdentitiesOnly=yes."
    return _TO_OPEN_IT if _UNOPENED.search(said) else None

"""Logging in: keys first, then the password, and what was tried if nothing helped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from paramiko import Agent, BadAuthenticationType, Transport
from paramiko.ssh_exception import SSHException

from remotejobs.errors import AuthenticationFailed, ConnectionLost, TimedOut
from remotejobs.ssh.endpoint import Endpoint
from remotejobs.ssh.host_key import is_trusted
from remotejobs.ssh.keys import candidates
from remotejobs.ssh.known_hosts import HostKey


def log_in(transport: Transport, endpoint: Endpoint, host_key: HostKey) -> None:
    """Authenticate. `AuthenticationFailed` says what was tried.

    `ConnectionLost` says that the server went away first, `TimedOut` that it fell silent.
    """
    agent = _agent(endpoint)
    try:
        login = _Login(transport, endpoint)
        if login.by_keys(agent) or (is_trusted(endpoint, host_key) and login.by_password()):
            return
        raise login.failure()
    finally:
        agent.close()


def _agent(endpoint: Endpoint) -> Agent:
    try:
        return Agent()
    except (SSHException, OSError) as exc:
        message = f"the agent at SSH_AUTH_SOCK does not answer as one ({exc})"
        raise AuthenticationFailed(endpoint.host, message, remedy="Start it again, or unset SSH_AUTH_SOCK.") from exc


class _Login:
    """The attempts of one login."""

    def __init__(self, transport: Transport, endpoint: Endpoint) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._tried: list[str] = []
        self._refused = 0
        self._accepted: Sequence[str] = ()

    def by_keys(self, agent: Agent) -> bool:
        """Whether one of the keys is enough."""
        for candidate in candidates(self._endpoint, agent):
            self._tried.append(candidate.label)
            key = candidate.key
            if key is not None and self._try(partial(self._transport.auth_publickey, self._endpoint.user, key)):
                return True
            if self._accepted and "publickey" not in self._accepted:
                break
        return False

    def by_password(self) -> bool:
        """Whether there is a password and it is enough, perhaps after a key."""
        if self._endpoint.password is None:
            return False
        self._tried.append("the password")
        return self._try(partial(self._transport.auth_password, self._endpoint.user, self._endpoint.password))

    def failure(self) -> AuthenticationFailed:
        tried = ", ".join(self._tried) or "nothing, for there is no key and no password"
        accepts = f"; the server accepts {', '.join(self._accepted)}" if self._accepted else ""
        return AuthenticationFailed(
            self._endpoint.host, f"{self._endpoint} refused user {self._endpoint.user}; tried: {tried}{accepts}"
        )

    def _try(self, authenticate: Callable[[], list[str]]) -> bool:
        began = time.monotonic()
        try:
            self._accepted = authenticate()
        except BadAuthenticationType as exc:
            self._accepted = exc.allowed_types
        except (SSHException, EOFError, OSError) as exc:
            self._refused += 1
            # EOFError is a write that failed; the reading thread may not have noticed the end yet.
            if isinstance(exc, EOFError) or not self._transport.is_active():
                raise self._gone(exc) from exc
            within = self._endpoint.connect_timeout
            if time.monotonic() - began >= within:
                # Silence is no refusal: whoever waits for a network to come back must go on waiting.
                raise TimedOut(
                    self._endpoint.host, f"{self._endpoint} did not answer the login within {within:g} s"
                ) from exc
        return self._transport.is_authenticated()

    def _gone(self, exc: Exception) -> AuthenticationFailed | ConnectionLost:
        """sshd hangs up on too many keys; before the second it must have been something else."""
        if self._refused > 1:
            failure = self.failure()
            remedy = "sshd hung up after too many keys: name the right one and set IdentitiesOnly=yes."
            return AuthenticationFailed(failure.host, failure.message.partition(": ")[2], remedy=remedy)
        return ConnectionLost(self._endpoint.host, f"{self._endpoint} hung up while logging in ({exc})")

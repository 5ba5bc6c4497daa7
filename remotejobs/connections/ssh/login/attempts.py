"""Logging in: keys and passwords in the order of ssh_config, one after the other where the server wants two."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from paramiko import BadAuthenticationType, PKey, Transport
from paramiko.ssh_exception import SSHException

from remotejobs.connections.ssh.endpoint import Endpoint
from remotejobs.connections.ssh.login.askpass import BY_HAND
from remotejobs.connections.ssh.login.keys import Candidate, Identity, candidates
from remotejobs.connections.ssh.resolve import SUGGESTED
from remotejobs.errors import AuthenticationFailed, ConnectionLost, LoginCutOff, TimedOut

FACTORS = 8  # one after the other; more is a server that never has enough
_BY_HAND = re.compile(BY_HAND, re.IGNORECASE)


def log_in(transport: Transport, endpoint: Endpoint, trusted: bool) -> None:
    """Authenticate; no password is sent unless the host is `trusted`. `AuthenticationFailed` says what was tried.

    `LoginCutOff` says that the server hung up meanwhile, `TimedOut` that it stopped answering.
    """
    _Login(transport, endpoint, trusted).run()


class _Login:
    """The attempts of one login."""

    def __init__(self, transport: Transport, endpoint: Endpoint, trusted: bool) -> None:
        self._transport = transport
        self._endpoint = endpoint
        self._password = endpoint.password if trusted else None
        self._tried: list[Candidate] = []
        self._used: set[bytes] = set()
        self._refused = 0
        self._accepted: Sequence[str] = ()
        self._partly = self._advanced = False
        self._asked: list[str] = []
        self._words: list[str] = []
        self._keys: list[Candidate] | None = None

    def run(self) -> None:
        ways = {
            "publickey": self._by_keys,
            "keyboard-interactive": self._by_answers,
            "password": self._by_password,
        }
        for _ in range(FACTORS):
            self._partly = False
            for method in self._endpoint.methods:
                if self._accepted and method not in self._accepted:
                    continue
                if ways[method]():
                    return
                if self._partly:
                    break
            if not self._partly:
                break
        raise self._failure()

    def _by_keys(self) -> bool:
        """Whether one of the keys is enough, or brings us a step further."""
        if self._keys is None:
            self._keys = list(candidates(self._endpoint))
            self._tried += [one for one in self._keys if not one.usable]
        for one in self._keys:
            if not isinstance(one, Identity) or one.shown.blob in self._used:
                continue
            self._tried.append(one)
            # As much of a key as paramiko uses.
            key = cast("PKey", one)
            if self._try(partial(self._transport.auth_publickey, self._endpoint.user, key)):
                return True
            if self._accepted and "publickey" not in self._accepted:
                if not self._partly:
                    self._tried.remove(one)
                else:
                    self._used.add(one.shown.blob)
                return False
            self._used.add(one.shown.blob)
            if self._partly:
                return False
        return False

    def _by_password(self) -> bool:
        """Whether there is a password and it is enough."""
        if self._password is None or b"password" in self._used:
            return False
        candidate = self._say("the password")
        attempt = partial(self._transport.auth_password, self._endpoint.user, self._password, fallback=False)
        return self._once(attempt, "password", candidate)

    def _by_answers(self) -> bool:
        """Whether the server's questions need no human: none at all, or the password."""
        # Without a password only where something was accepted already: it may be content without a question.
        if b"keyboard-interactive" in self._used or (self._password is None and not self._advanced):
            return False
        candidate = self._say("answers to its questions" if self._password is None else "the password as an answer")
        return self._once(
            partial(self._transport.auth_interactive, self._endpoint.user, self._answer),
            "keyboard-interactive",
            candidate,
        )

    def _once(self, attempt: Callable[[], list[str]], method: str, candidate: Candidate) -> bool:
        done = self._try(attempt)
        if method in self._accepted or self._partly or not self._accepted:
            self._used.add(method.encode())
        elif not done:
            self._tried.remove(candidate)
        return done

    def _answer(self, title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        """In paramiko's reading thread. Too few answers make the server refuse, which is what is wanted then."""
        self._words += [line for line in (title.strip(), instructions.strip()) if line]
        answers = []
        for prompt, shown in prompts:
            if shown or _BY_HAND.search(prompt) or self._password is None or prompt in self._asked:
                self._asked.append(prompt)
                return []
            self._asked.append(prompt)
            answers.append(self._password)
        return answers

    def _say(self, label: str) -> Candidate:
        candidate = Candidate(label)
        self._tried.append(candidate)
        return candidate

    def _try(self, authenticate: Callable[[], Any]) -> bool:
        began = time.monotonic()
        try:
            self._partial_with(authenticate())
        except BadAuthenticationType as exc:
            self._accepted = exc.allowed_types
        except (SSHException, EOFError, OSError) as exc:
            self._refused += 1
            # EOFError is a write that failed; the reading thread may not have noticed the end yet.
            if isinstance(exc, EOFError) or not self._transport.is_active():
                raise self._gone(exc) from exc
            within = self._endpoint.connect_timeout
            if time.monotonic() - began >= within:
                # No answer is no refusal: a caller that waits for a network to come back must go on waiting.
                raise TimedOut(
                    self._endpoint.host, f"{self._endpoint} did not answer the login within {within:g} s"
                ) from exc
        self._keep_banner()
        return self._transport.is_authenticated()

    def _partial_with(self, allowed: list[str]) -> None:
        """paramiko returns what else is wanted after a part of the way, and nothing at its end."""
        if allowed:
            self._accepted, self._partly, self._advanced = allowed, True, True

    def _keep_banner(self) -> None:
        # Not by get_banner(), which knows of none once the server has hung up.
        banner: object = self._transport.auth_handler.banner if self._transport.auth_handler else None
        said = banner.decode("utf-8", "replace") if isinstance(banner, bytes) else str(banner or "")
        if (text := " ".join(said.split())) and text not in self._words:
            self._words.append(text)

    def _failure(self) -> AuthenticationFailed:
        return AuthenticationFailed(self._endpoint.host, self._message(), remedy=self._remedy())

    def _message(self) -> str:
        tried = ", ".join(one.label for one in self._tried) or "nothing, for there is no key and no password"
        accepts = f"; the server accepts {', '.join(self._accepted)}" if self._accepted else ""
        asks = f"; it asks {self._asked[-1].strip()!r}" if self._asked else ""
        return f"{self._endpoint} refused user {self._endpoint.user}; tried: {tried}{accepts}{asks}{self._said()}"

    def _said(self) -> str:
        return f"; it says: {' / '.join(self._words)[:500].rstrip('.')}" if self._words else ""

    def _remedy(self) -> str | None:
        untried = [method for method in self._endpoint.untried if not self._accepted or method in self._accepted]
        if not untried or not set(untried) & set(self._accepted):
            return None
        return f"Not tried were {', '.join(untried)}. {SUGGESTED}, which can do them."

    def _gone(self, exc: Exception) -> AuthenticationFailed | ConnectionLost:
        """sshd hangs up on too many keys; before the second it must have been something else."""
        self._keep_banner()
        if self._refused > 1:
            remedy = "sshd hung up after too many keys: name the right one and set IdentitiesOnly=yes."
            return AuthenticationFailed(self._endpoint.host, self._message(), remedy=remedy)
        tried = f"; tried: {self._tried[-1].label}" if self._tried else ""
        return LoginCutOff(
            self._endpoint.host, f"{self._endpoint} hung up while logging in ({exc}){tried}{self._said()}"
        )

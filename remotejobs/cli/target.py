"""Which hosts and which user: read from the command line, and written as one again."""

from __future__ import annotations

import shlex
import warnings
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass, replace

from remotejobs.cli.inventories import Inventories
from remotejobs.errors import UsageError
from remotejobs.inventory import Host
from remotejobs.inventory.override import with_login
from remotejobs.jobs.fleet import DEFAULT_FORKS, BecomeChoice, Fleet

_SET = "or set {}, for example from the environment: {{{{ lookup('env', '{}') }}}}."
_SUDO = ("BECOME password: ", "sudo's password", _SET.format("ansible_become_password", "BECOME_PASSWORD"))
_LOGIN = ("SSH password: ", "the password of the login", _SET.format("ansible_password", "SSH_PASSWORD"))


@dataclass(frozen=True, slots=True)
class Target:
    """The hosts of a pattern and the way to become a user there."""

    pattern: str
    inventories: Inventories
    limit: str
    forks: int
    become: bool
    become_user: str
    ask_password: bool
    user: str
    ask_login_password: bool

    @classmethod
    def of(cls, args: Namespace) -> Target:
        inventories = Inventories.of(args)
        return cls(
            pattern=args.pattern,
            inventories=inventories,
            limit=args.limit,
            forks=args.forks or inventories.forks or DEFAULT_FORKS,
            become=args.become or bool(args.become_user),
            become_user=args.become_user,
            ask_password=args.ask_become_pass,
            user=args.user,
            ask_login_password=args.ask_pass,
        )

    def hosts(self) -> tuple[Host, ...]:
        """Raises `InventoryError` and `PatternError`."""
        chosen = self.inventories.load().select(self.pattern, self.limit or None)
        return tuple(with_login(chosen, self.user or None, None, "--user"))

    def fleet(self) -> Fleet:
        """The hosts, ready to be asked; passwords are asked for when everything else is known to be right."""
        return self.fleets("")[0]

    def fleets(self, also: str) -> tuple[Fleet, Fleet]:
        """The hosts, as above, and these together with those of another pattern ("": none), reached in the same way."""
        hosts: Iterable[Host] = self.hosts()
        more: Iterable[Host] = self.on(also).hosts() if also else ()
        if self.ask_login_password:
            typed = _ask(*_LOGIN)
            hosts, more = (tuple(with_login(each, None, typed, "--ask-pass")) for each in (hosts, more))
        password = _ask(*_SUDO) if self.ask_password else None
        choice = BecomeChoice(become=self.become or None, user=self.become_user or None, password=password)
        every = {host.name: host for host in (*more, *hosts)}
        return Fleet(hosts, forks=self.forks, become=choice), Fleet(every.values(), forks=self.forks, become=choice)

    def on(self, host: str) -> Target:
        """One host of them, reached in the same way."""
        return replace(self, pattern=host, limit="")

    def command(self, name: str, jid: str, *options: str) -> str:
        """The command line that does `name` with the same jobs."""
        return self.line(name, jid, *options)

    def line(self, name: str, *rest: str) -> str:
        """The command line of a subcommand (`lock release`) for the same hosts."""
        words = ["remotejobs", *name.split(), self.pattern, *rest, *self.inventories.words]
        words += ["-l", self.limit] if self.limit else []
        words += ["-u", self.user] if self.user else []
        words += ["-k"] if self.ask_login_password else []
        words += ["--become-user", self.become_user] if self.become_user else ["--become"] if self.become else []
        words += ["-K"] if self.ask_password else []
        return shlex.join(words)

    def commands(self, jid: str) -> str:
        """How to find the jobs again, a line for each way."""
        return "\n".join(f"  {self.command(name, jid)}" for name in ("status", "wait", "log", "kill"))


def _ask(prompt: str, what: str, otherwise: str) -> str:
    """`UsageError` where it cannot be typed unseen; a password from a pipe is not taken, as it may not be one."""
    from getpass import GetPassWarning, getpass  # imports termios, needed only here

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            return getpass(prompt)
    except GetPassWarning as exc:
        raise UsageError(
            f"there is no terminal to ask for {what}", remedy=f"Run it in a terminal, {otherwise}"
        ) from exc
    except EOFError as exc:
        raise UsageError(f"{what} was not typed", remedy=f"Type it and press Enter, {otherwise}") from exc

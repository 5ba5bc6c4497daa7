"""Where each setting of the way to a host came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from remotejobs.connections.become import become_for
from remotejobs.connections.ssh.config.arguments import Option, arguments_of
from remotejobs.connections.ssh.config.jumps import Jump, parse_jumps
from remotejobs.connections.ssh.config.keywords import PROPER_NAMES
from remotejobs.connections.ssh.config.lookup import lookup
from remotejobs.connections.ssh.resolve import asked_name, resolve
from remotejobs.inventory.variables import HostLike, place_of, text

USUAL = "default"


@dataclass(frozen=True, slots=True)
class Explained:
    """One setting of one `hop`, the host or a jump host. `place` is a variable, a file and line, or `default`."""

    hop: str
    setting: str
    value: str
    place: str


def explain(host: HostLike) -> list[Explained]:
    """The settings of `host` and of each jump host, nearest last; `UsageError` as for `resolve`."""
    endpoint = resolve(host)
    arguments = arguments_of(host)
    ways = {hop.asked_as: (hop.address, str(hop.port), hop.user) for hop in (*endpoint.via, endpoint)}
    rows: list[Explained] = []
    seen: set[str] = set()

    def add(name: str, options: tuple[Option, ...]) -> None:
        if name in seen or name not in ways:
            return
        seen.add(name)
        found = lookup(name, options, arguments.config)
        if found.beyond is not None:
            what = f"OpenSSH was asked: {found.beyond.what}"
            rows.append(Explained(name, "ssh -G", what, found.beyond.place))
        used = dict(zip(("hostname", "port", "user"), ways[name], strict=True))
        for key, proper in PROPER_NAMES.items():
            values, places = found.settings.all(key), found.settings.places.get(key, ())
            if key in used:
                rows.append(Explained(name, proper, used[key], " and ".join(places) or USUAL))
            elif len(values) == len(places):
                rows.extend(Explained(name, proper, *pair) for pair in zip(values, places, strict=True))
            else:
                rows.append(Explained(name, proper, " ".join(values), " and ".join(places)))
        for jump in parse_jumps(found.settings.get("proxyjump"), host.name):
            add(jump.name, tuple(_options(jump, f"ProxyJump of {name}")))

    add(asked_name(host), arguments.options)
    return [*rows, *_become(host)]


def _become(host: HostLike) -> Iterator[Explained]:
    """Which user jobs become there; nothing where they run as the login user."""
    if become := become_for(host):
        name = asked_name(host)
        yield Explained(name, "Become", "yes", place_of(host, "ansible_become"))
        for setting, value, names in (
            ("BecomeUser", become.user, ("ansible_become_user",)),
            ("BecomeProgram", become.program, ("ansible_sudo_exe", "ansible_become_exe")),
        ):
            yield Explained(name, setting, value, place_of(host, *names) if text(host, *names) else USUAL)


def _options(jump: Jump, place: str) -> Iterator[Option]:
    for key, value in (("user", jump.user), ("port", jump.port)):
        if value:
            yield Option(key, value, place)

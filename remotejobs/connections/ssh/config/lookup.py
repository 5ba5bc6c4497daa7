"""What ssh_config and our own options say for one host, by whichever way answers surely."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from remotejobs.connections.ssh.config import program
from remotejobs.connections.ssh.config.arguments import Option
from remotejobs.connections.ssh.config.blocks import Beyond, ConfigDocument, Setting
from remotejobs.connections.ssh.config.keywords import HONOURED, LISTS, PASSED_OVER, RAW
from remotejobs.connections.ssh.config.plain import evaluate
from remotejobs.connections.ssh.config.reader import read
from remotejobs.connections.ssh.config.settings import HostSettings
from remotejobs.connections.ssh.config.tokens import local_user
from remotejobs.connections.ssh.config.words import NotPlain, split_words
from remotejobs.errors import UsageError


@dataclass(frozen=True, slots=True)
class Lookup:
    """The settings, and why OpenSSH was asked for them; None where it was not."""

    settings: HostSettings
    beyond: Beyond | None = None


def lookup(name: str, options: tuple[Option, ...], config: str) -> Lookup:
    """The settings for `name`: `options` first, then the file `config` ("": the user's and the system's; "none").

    Files in the plain form are read here. Others are OpenSSH's to read: nothing is guessed. `UsageError` names the file
    and line that cannot be understood, and what OpenSSH said of it.
    """
    settings = tuple(map(_setting, options))
    home = Path.home()
    document = read(config, home)
    beyond = _beyond(document, settings)
    if beyond is None:
        return Lookup(evaluate(document, name, settings, local_user().pw_name))
    if program.program() is None:
        raise UsageError(
            f"{beyond.place}: {beyond.what} is more than is surely understood here without OpenSSH",
            remedy="Install OpenSSH's client, which is then asked, or write it more plainly.",
        )
    return Lookup(program.ask(document, program.SettingsQuery(name, settings, config, home)), beyond)


def _beyond(document: ConfigDocument, options: tuple[Setting, ...]) -> Beyond | None:
    if document.beyond:
        return document.beyond[0]
    # Whether a ProxyCommand counts after it differs from release to release.
    jumps = (*options, *document.candidates.get("proxyjump", ()))
    none = [one for one in jumps if one.key == "proxyjump" and one.values[0].lower() == "none"]
    if none and ("proxycommand" in document.keywords or any(option.key == "proxycommand" for option in options)):
        return Beyond(none[0].place, "ProxyJump none beside a ProxyCommand")
    if document.commented and not program.reads_comments():
        return document.commented[0]
    return None


def _setting(option: Option) -> Setting:
    """An option of ours in the form that it would have in a file."""
    try:
        # Names are checked where it is known what for.
        if option.key in RAW or option.key in ("hostname", "user"):
            values: tuple[str, ...] = (option.value,)
        else:
            words = split_words(option.value)[0] if option.key in LISTS else (option.value,)
            values = (HONOURED.get(option.key) or PASSED_OVER[option.key])(words)
    except NotPlain as exc:
        raise UsageError(
            f"{option.place}: {option.key} {option.value!r}: {exc} cannot be used", remedy="Correct it."
        ) from exc
    return Setting(option.key, values, option.place)

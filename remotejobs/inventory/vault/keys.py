"""Where passwords of vaults come from: files, programs that print one, the terminal. Words as for ansible-vault."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from remotejobs.errors import UsageError
from remotejobs.inventory.errors import Place
from remotejobs.inventory.vault.envelope import is_vault
from remotejobs.inventory.vault.secrets import Key, Secrets

_FILE = "ANSIBLE_VAULT_PASSWORD_FILE"
IDENTITIES = "ANSIBLE_VAULT_IDENTITY_LIST"
_ASK = frozenset({"prompt", "ask", "prompt_ask_vault_pass"})
_PROGRAM_SECONDS = 60.0
_DEFAULT = "default"


def secrets_named(
    ids: Iterable[str] = (),
    password_files: Iterable[str] = (),
    *,
    ask: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> Secrets:
    """`ids` are LABEL@SOURCE or SOURCE, where SOURCE is a file, a program, or `ask`; the environment's come first."""
    from_environment = [word.strip() for word in environment.get(IDENTITIES, "").split(",")]
    files = [environment.get(_FILE, ""), *password_files]
    keys: list[Key] = []
    for word in filter(None, [*from_environment, *ids]):
        label, at, source = word.rpartition("@")
        keys.append(_key(label if at else _DEFAULT, source, keys))
    keys += [_key(_DEFAULT, file, list(keys)) for file in filter(None, files)]
    if ask:
        keys.append(_key(_DEFAULT, "ask", keys))
    return Secrets(keys)


def environment_with(password_file: str, ids: str) -> Mapping[str, str]:
    """The environment, which wins, and what an ansible.cfg says of vaults."""
    return {_FILE: password_file, IDENTITIES: ids, **os.environ}


def _key(label: str, source: str, earlier: Iterable[Key]) -> Key:
    if source in _ASK:
        return Key(label, f"the password that was typed for {label!r}", partial(_asked, label))
    path = Path(source).expanduser()
    return Key(label, str(path), partial(_from_file, path, label, tuple(earlier)))


def _asked(label: str) -> bytes:
    from getpass import GetPassWarning, getpass  # imports termios, needed only here
    from warnings import catch_warnings, simplefilter

    try:
        with catch_warnings():
            simplefilter("error", GetPassWarning)
            return getpass(f"Vault password ({label}): ").encode()
    except GetPassWarning as exc:
        raise UsageError("there is no terminal to ask for the vault's password", remedy="Name a file with it.") from exc
    except EOFError as exc:
        raise UsageError("no password for the vault was typed", remedy="Type it and press Enter.") from exc


def _from_file(path: Path, label: str, earlier: tuple[Key, ...]) -> bytes:
    try:
        if path.is_file() and os.access(path, os.X_OK):
            password = _printed_by(path, label)
        else:
            password = path.read_bytes().strip()
    except OSError as exc:
        raise UsageError(
            f"the vault password file {path} cannot be read ({exc.strerror})",
            remedy="Check its path and permissions; a program in it needs a first line such as #!/bin/sh.",
        ) from exc
    if is_vault(text := password.decode(errors="replace")):
        password = Secrets(earlier).open(text, Place(str(path))).encode().strip()
    if not password:
        raise UsageError(f"the vault password file {path} gives no password", remedy="Write the password in it.")
    return password


def _printed_by(path: Path, label: str) -> bytes:
    """What the program prints; one named NAME-client gets the vault id, as ansible-vault does it."""
    words = [str(path.absolute()), *(["--vault-id", label] if path.stem.endswith("-client") else [])]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_PROGRAM_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise UsageError(f"{path} printed no password within {_PROGRAM_SECONDS:g} s", remedy="Run it by hand.") from exc
    if done.returncode:
        raise UsageError(f"{path} ended with {done.returncode} and gave no password", remedy="Run it by hand.")
    return done.stdout.strip(b"\r\n")

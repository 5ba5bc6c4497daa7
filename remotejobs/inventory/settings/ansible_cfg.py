"""What an ansible.cfg says of connections: variables that are weaker than all of the inventory, and which inventory."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.forms.document import read_text
from remotejobs.inventory.values import Raw, Unsafe

if TYPE_CHECKING:
    import configparser

# The variable that each key stands for, and the other names of that variable, which win over the key as well.
_VARIABLES = {
    ("defaults", "remote_user"): ("ansible_user", "ansible_ssh_user"),
    ("defaults", "remote_port"): ("ansible_port", "ansible_ssh_port"),
    ("defaults", "private_key_file"): ("ansible_private_key_file", "ansible_ssh_private_key_file"),
    ("defaults", "host_key_checking"): ("ansible_host_key_checking", "ansible_ssh_host_key_checking"),
    ("defaults", "timeout"): ("ansible_timeout", "ansible_ssh_timeout"),
    ("defaults", "transport"): ("ansible_connection",),
    ("privilege_escalation", "become"): ("ansible_become",),
    ("privilege_escalation", "become_method"): ("ansible_become_method",),
    ("privilege_escalation", "become_user"): ("ansible_become_user",),
    ("privilege_escalation", "become_exe"): ("ansible_become_exe", "ansible_sudo_exe"),
    ("privilege_escalation", "become_flags"): ("ansible_become_flags", "ansible_sudo_flags"),
    ("ssh_connection", "ssh_args"): ("ansible_ssh_args",),
    ("ssh_connection", "ssh_common_args"): ("ansible_ssh_common_args",),
    ("ssh_connection", "ssh_extra_args"): ("ansible_ssh_extra_args",),
    ("ssh_connection", "ssh_executable"): ("ansible_ssh_executable",),
}
# Keys that change what the inventory itself says in Ansible; the last is the value that changes nothing.
_UNHONOURED = (
    ("defaults", "hash_behaviour", "replace"),
    ("defaults", "precedence", ""),
    ("inventory", "ignore_extensions", ""),
    ("inventory", "ignore_patterns", ""),
)
_log = logging.getLogger(__name__)
_SAME = {name: names for names in _VARIABLES.values() for name in names[:1]}
_PATHS = frozenset({"private_key_file"})
_CWD = re.compile(r"\{\{\s*CWD\s*\}\}")


@dataclass(frozen=True, slots=True)
class AnsibleConfig:
    """`variables` are the weakest layer of every host; paths in it are made absolute from where the file is."""

    path: Path
    variables: Mapping[str, Raw] = field(default_factory=dict)
    inventories: tuple[str, ...] = ()
    forks: int | None = None
    vault_password_file: str = ""
    vault_ids: str = ""


def names_of(variable: str) -> tuple[str, ...]:
    """All names of a variable that a key stands for."""
    return _SAME.get(variable, (variable,))


def read_config(path: Path) -> AnsibleConfig:
    """Raises `InventoryError`, which quotes nothing of it."""
    import configparser  # for the few inventories with such a file

    text = read_text(path)
    parser = configparser.ConfigParser(inline_comment_prefixes=(";",), interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as exc:
        line = getattr(exc, "lineno", 0) or 0
        raise InventoryError(
            "is not in the form of an ansible.cfg",
            place=Place(str(path), line),
            remedy="Write [section], then key = value.",
        ) from None
    return _CfgReader(path, text, parser).config()


class _CfgReader:
    def __init__(self, path: Path, text: str, parser: configparser.ConfigParser) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._parser = parser

    def config(self) -> AnsibleConfig:
        for section, key, usual in _UNHONOURED:
            if self._text(key, section).lower() not in ("", usual):
                _log.warning(
                    "%s: %s is not honoured here: the inventory may say something else than in Ansible",
                    self._place(section, key),
                    key,
                )
        return AnsibleConfig(
            self._path,
            {names[0]: raw for key, names in _VARIABLES.items() if (raw := self._variable(*key))},
            tuple(self._inventory(part.strip()) for part in self._text("inventory").split(",") if part.strip()),
            self._forks(),
            self._file(self._text("vault_password_file")),
            self._text("vault_identity_list"),
        )

    def _variable(self, section: str, key: str) -> Raw | None:
        value = self._text(key, section)
        if not value or (key == "transport" and value == "smart"):
            return None
        return Raw(Unsafe(self._file(value) if key in _PATHS else value), self._place(section, key))

    def _text(self, key: str, section: str = "defaults") -> str:
        value = self._parser.get(section, key, fallback="").strip()
        is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        return value[1:-1] if is_quoted else value

    def _forks(self) -> int | None:
        text = self._text("forks")
        if text and not (text.isdecimal() and int(text)):
            raise InventoryError(
                "forks must be a whole number from 1 on", place=self._place("defaults", "forks"), remedy="Correct it."
            )
        return int(text) if text else None

    def _inventory(self, part: str) -> str:
        # A list of hosts has been split at its commas: what is no file is one of them.
        path = self._file(part)
        return path if Path(path).exists() else f"{part},"

    def _file(self, text: str) -> str:
        if not text:
            return ""
        text = _CWD.sub(lambda _: str(Path.cwd()), text)
        return str(self._path.parent.absolute() / Path(text).expanduser())

    def _place(self, section: str, key: str) -> Place:
        within = ""
        for number, line in enumerate(self._lines, 1):
            if head := re.match(r"\[([^\]]+)\]", line):
                within = head[1]
            elif within == section and re.match(rf"{key}\s*[=:]", line, re.IGNORECASE):
                return Place(str(self._path), number)
        return Place(str(self._path))

"""The inventories that a command line names, and what they may need: passwords of vaults, a playbook's directory."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from remotejobs.inventory import Inventory, Reading, inventory_paths, load_inventory
from remotejobs.inventory.settings import find_config, read_config
from remotejobs.inventory.vault.keys import environment_with, secrets_named

_INVENTORY = (
    "inventory file or directory, or a list such as 'web1,web2'; several are merged in their order; "
    "the default is $REMOTEJOBS_INVENTORY, else $ANSIBLE_INVENTORY, else what ansible.cfg says, "
    "else inventories/hosts.yml"
)


def add_inventories(parser: ArgumentParser) -> None:
    """How to find the hosts and what to read them with."""
    parser.add_argument("-i", "--inventory", metavar="FILE", action="append", default=[], help=_INVENTORY)
    group = parser.add_argument_group("vaults, templates, and what is beside a playbook")
    group.add_argument(
        "--vault-password-file", metavar="FILE", action="append", default=[],
        help="the vault's password, or a program that prints it (also $ANSIBLE_VAULT_PASSWORD_FILE)",
    )  # fmt: skip
    group.add_argument(
        "--vault-id", metavar="[LABEL@]FILE", action="append", default=[],
        help="the same for one vault id; `ask` in place of the file asks in the terminal",
    )  # fmt: skip
    group.add_argument(
        "-J", "--ask-vault-password", "--ask-vault-pass", action="store_true", help="ask for the vault's password"
    )
    group.add_argument(
        "--playbook-dir", metavar="DIR", default="", help="read group_vars/ and host_vars/ in this directory too"
    )
    group.add_argument(
        "--ansible-config", metavar="FILE", default="", help="take connection settings from this ansible.cfg, no other"
    )
    group.add_argument(
        "--run-lookups", action="store_true", help="let templates run programs (pipe) and write files (password)"
    )


@dataclass(frozen=True, slots=True)
class Inventories:
    """What was named, and the words that name it again."""

    sources: tuple[str, ...]
    reading: Reading
    words: tuple[str, ...]

    @classmethod
    def of(cls, args: Namespace) -> Inventories:
        """`UsageError` when none is named."""
        found = Path(args.ansible_config) if args.ansible_config else find_config()
        config = read_config(found) if found else None
        sources = inventory_paths(args.inventory, config.inventories if config else ())
        directory = Path(args.playbook_dir) if args.playbook_dir else None
        secrets = secrets_named(
            args.vault_id,
            args.vault_password_file,
            ask=args.ask_vault_password,
            environment=environment_with(config.vault_password_file, config.vault_ids) if config else os.environ,
        )
        words = [
            *(word for source in sources for word in ("-i", source)),
            *(word for file in args.vault_password_file for word in ("--vault-password-file", file)),
            *(word for name in args.vault_id for word in ("--vault-id", name)),
            *(["-J"] if args.ask_vault_password else []),
            *(["--run-lookups"] if args.run_lookups else []),
            *(["--playbook-dir", args.playbook_dir] if args.playbook_dir else []),
            *(["--ansible-config", args.ansible_config] if args.ansible_config else []),
        ]
        return cls(sources, Reading(secrets, directory, config, args.run_lookups), tuple(words))

    @property
    def forks(self) -> int | None:
        """What the ansible.cfg says."""
        return self.reading.config.forks if self.reading.config else None

    def load(self) -> Inventory:
        """Raises `InventoryError`."""
        return load_inventory(*self.sources, reading=self.reading)

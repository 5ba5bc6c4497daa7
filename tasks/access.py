"""How a flow reaches its hosts: names only, so that nothing secret and nothing alive is ever a parameter."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path, PurePath
from typing import Annotated, ClassVar, Literal, TypeVar

from prefect.blocks.core import Block
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from remotejobs.errors import UsageError
from remotejobs.inventory import Host, Inventory, Reading, load_inventory
from remotejobs.inventory.override import with_login
from remotejobs.inventory.settings import AnsibleConfig, read_config
from remotejobs.inventory.vault.keys import environment_with, secrets_named
from remotejobs.inventory.vault.secrets import Key, Secrets
from remotejobs.jobs.fleet import DEFAULT_FORKS, BecomeChoice
from remotejobs.model import Handle
from remotejobs.prefect.tasks.blocks.inventory import RemoteInventory, RemoteLogin, not_the_manual
from remotejobs.short_form import ShortForm

_BLOCK = f"{RemoteInventory.get_block_type_slug()}/"

B = TypeVar("B", bound=Block)
_Path = Annotated[str, Field(min_length=1)]


class Access(ShortForm, BaseModel):
    """Where the hosts are written down, and which user to become there."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    _often: ClassVar[tuple[str, ...]] = ("inventory",)

    inventory: _Path | Annotated[tuple[_Path, ...], Field(min_length=1)] = Field(
        description="Path of the inventory as the worker sees it, or remote-inventory/NAME: the block that names it; "
        "several are merged in their order."
    )
    forks: int = Field(default=DEFAULT_FORKS, ge=1, description="How many hosts are connected or asked at a time.")
    become: bool = Field(default=False, description="Use sudo, also where the inventory does not say so.")
    become_user: str = Field(default="", description="User to become; empty: as the inventory says, or root.")
    become_password_block: str = Field(
        default="", description="Name of the Secret block with sudo's password; empty: none, or as the inventory says."
    )
    ssh_password_block: str = Field(
        default="", description="Name of the Secret block with the SSH password; empty: keys, or as the inventory says."
    )

    vault_blocks: tuple[str, ...] = Field(
        default=(), description="Names of the Secret blocks with the passwords of vaults; for one vault id: ID@NAME."
    )
    playbook_dir: str = Field(default="", description="A directory whose group_vars/ and host_vars/ are read too.")
    ansible_config: str = Field(default="", description="Path of an ansible.cfg to take connection settings from.")
    run_lookups: bool = Field(
        default=False, description="Let templates run programs (pipe) and write files (password) on the worker."
    )

    @field_validator("inventory")
    @classmethod
    def _none_is_the_manual(cls, inventory: str | tuple[str, ...]) -> str | tuple[str, ...]:
        # For the whole field: as part of the kinds it may be of, the error would be one of several.
        for path in _several(inventory):
            not_the_manual(path)
        return inventory

    @property
    def places(self) -> tuple[RemoteInventory, ...]:
        """Where the hosts are written down, and the logins to them. `UsageError` when a block cannot be read."""
        return tuple(map(place_of, _several(self.inventory)))

    @property
    def login(self) -> RemoteLogin:
        """The login for all hosts. `UsageError` when several inventories say that: their hosts are merged."""
        saying = [place for place in self.places if place.login != RemoteLogin()]
        if len(saying) > 1:
            raise UsageError(
                f"the blocks of the inventories {', '.join(place.path for place in saying)} have a login each",
                remedy="Name the login in one of them: it is for all hosts.",
            )
        return saying[0].login if saying else RemoteLogin()

    @property
    def has_become_password(self) -> bool:
        """Whether a block has sudo's password, which a person who does the same by hand has to type."""
        return bool(self.become_password_block or self.login.become_password.get_secret_value())

    @property
    def where(self) -> str:
        """The inventories in words."""
        return ", ".join(place.path for place in self.places)

    @property
    def name(self) -> str:
        """A short name of the inventories, for what is limited or known by them."""
        return "+".join(PurePath(place.path).stem for place in self.places)

    @property
    def words(self) -> list[str]:
        """The command line's words for the inventories and the login; it asks for the passwords that blocks hold here.

        `UsageError` when the block of an inventory cannot be read.
        """
        words = [word for place in self.places for word in ("-i", place.path)]
        for block in self.vault_blocks:
            label, at, _ = block.rpartition("@")
            words += ["--vault-id", f"{label}@ask" if at else "ask"]
        words += ["--run-lookups"] if self.run_lookups else []
        words += ["--playbook-dir", self.playbook_dir] if self.playbook_dir else []
        words += ["--ansible-config", self.ansible_config] if self.ansible_config else []
        login = self.login
        words += ["-u", login.user] if login.user else []
        return [*words, *(["-k"] if self.ssh_password_block or login.password.get_secret_value() else [])]

    def load(self) -> Inventory:
        """The inventories, read now. Raises `InventoryError`, and `UsageError` when a vault's block cannot be read."""
        keys = []
        for block in self.vault_blocks:
            label, _, name = block.rpartition("@")
            # Fetched now: the threads that need it later are no task run's, and could not ask for a block.
            keys.append(Key(label, f"the Secret block {name!r}", partial(str.encode, secret_of(name))))
        config = read_config(Path(self.ansible_config)) if self.ansible_config else None
        secrets = Secrets(keys) if keys else _other_secrets(config)
        directory = Path(self.playbook_dir) if self.playbook_dir else None
        paths = (place.path for place in self.places)
        return load_inventory(*paths, reading=Reading(secrets, directory, config, self.run_lookups))

    def choice(self) -> BecomeChoice:
        """How to become, with the password looked up. `UsageError` when its block cannot be read."""
        return BecomeChoice(
            become=True if self.become else None,
            user=self.become_user or None,
            password=self._known(self.become_password_block, self.login.become_password),
        )

    def reach(self, hosts: Iterable[Host]) -> list[Host]:
        """The same hosts, with the login that opens them looked up. `UsageError` when its block cannot be read."""
        login = self.login
        password = self._known(self.ssh_password_block, login.password)
        return with_login(hosts, login.user or None, password, "the login of the flow")

    @staticmethod
    def _known(block: str, password: SecretStr) -> str | None:
        return secret_of(block) if block else password.get_secret_value() or None


@cache
def place_of(inventory: str) -> RemoteInventory:
    """What `Access.inventory` means, asked once in a process: each poll would be a question to Prefect's API otherwise.

    A process that outlives changes of the block forgets it with `place_of.cache_clear()`.
    """
    if inventory.startswith(_BLOCK):
        return _loaded(RemoteInventory, inventory.removeprefix(_BLOCK))
    return RemoteInventory(path=inventory)


def _several(inventory: str | tuple[str, ...]) -> tuple[str, ...]:
    return (inventory,) if isinstance(inventory, str) else inventory


def _other_secrets(config: AnsibleConfig | None) -> Secrets:
    if config is None:
        return secrets_named()
    return secrets_named(environment=environment_with(config.vault_password_file, config.vault_ids))


@cache
def secret_of(block: str) -> str:
    """The text of a Secret block, asked once in a process, as above. `UsageError` when it cannot be read."""
    value: object = _loaded(Secret, block).get()
    if not isinstance(value, str):
        raise UsageError(f"the Secret block {block!r} does not hold text", remedy="Store the password as text.")
    return value


def _loaded(kind: type[B], name: str) -> B:
    what = f"the {kind.get_block_type_name()} block {name!r}"
    try:
        # Not by Prefect's own `load`, which in an event loop would wait to be awaited.
        with get_client(sync_client=True) as client:
            document = client.read_block_document_by_name(name, kind.get_block_type_slug(), include_secrets=True)
        return kind.model_validate(document.data)
    except ObjectNotFound as exc:
        raise UsageError(f"{what} cannot be read: there is none", remedy="Create it under Blocks.") from exc
    except ValidationError as exc:
        raise UsageError(f"{what} cannot be read: {exc}", remedy="Correct it under Blocks.") from exc


Verb = Literal["status", "log", "kill", "list"]


def command_line(verb: Verb, handle: Handle, access: Access, *options: str) -> str:
    """`remotejobs VERB HOST JID -i INVENTORY`, ready to be copied, as the user that the job belongs to.

    `list` shows all jobs of the host, and takes no jid.
    """
    words = ["remotejobs", verb, handle.host, *([] if verb == "list" else [handle.jid]), *access.words]
    words += ["--become-user", handle.become_user] if handle.become_user else []
    words += ["--ask-become-pass"] if access.has_become_password else []
    return shlex.join([*words, *options])

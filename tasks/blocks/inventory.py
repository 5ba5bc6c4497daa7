"""Where the hosts are written down and how to log in to them, kept by the server under a name."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, ClassVar

from prefect.blocks.core import Block
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr, model_validator

_LOGOS = (
    "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9/assets/block-logos"
)
_EXAMPLE = ("inventories", "example.yml")
_NOTHING = SecretStr("")
_OF_PREFECT = {"block_type_slug", "_block_document_id", "_block_document_name", "_is_anonymous"}


def not_the_manual(path: str) -> str:
    """The same path. Raises `ValueError` for that of inventories/example.yml."""
    # The deployments name it until another one is named: their schedules would wait in vain for its hosts, which
    # do not exist, and say "unreachable" of each.
    if PurePath(path).parts[-2:] == _EXAMPLE:
        raise ValueError(
            f"{path} is only an example, and its hosts do not exist: copy it, and name the copy "
            "as access.inventory in prefect.yaml or in the run form"
        )
    return path


def logo(name: str) -> HttpUrl:
    """One of the pictures that Prefect has for its own blocks."""
    return HttpUrl(f"{_LOGOS}/{name}.png")


class Strict(BaseModel):
    """Beside `Block`, which takes any field: one that there is none of is refused. What is refused is not shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _of_prefect(cls, values: object) -> object:
        """Without what Prefect adds to the fields of a block that it keeps."""
        return {key: values[key] for key in values if key not in _OF_PREFECT} if isinstance(values, dict) else values


class RemoteLogin(Block, Strict):
    """The user that logs in to the hosts of an inventory, and the passwords. Keys are files of the worker.

    Example:
        ```python
        from remotejobs.prefect import RemoteInventory, RemoteLogin

        login = RemoteLogin(user="deploy", become_password="...")
        login.save("deploy")
        RemoteInventory(path="/etc/remotejobs/hosts.yml", login=login).save("production")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Remote Login"
    _logo_url: ClassVar[HttpUrl | None] = logo("secret")

    user: str = Field(default="", description="User who logs in; empty: as the inventory or ssh_config says.")
    password: SecretStr = Field(default=_NOTHING, description="SSH password; empty: keys, or as the inventory says.")
    become_password: SecretStr = Field(
        default=_NOTHING, description="Password for sudo; empty: none, or as the inventory says."
    )


class RemoteInventory(Block, Strict):
    """Where hosts are written down, and the login to them. Flows take it by name: `remote-inventory/NAME`.

    Example:
        ```python
        from remotejobs.prefect import Access, RemoteInventory
        from remotejobs.prefect.flows.run_command import run_command

        RemoteInventory(path="/etc/remotejobs/hosts.yml").save("production")
        run_command(Access(inventory="remote-inventory/production"), "db*", "uptime")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Remote Inventory"
    _logo_url: ClassVar[HttpUrl | None] = logo("filesystem")

    path: Annotated[str, AfterValidator(not_the_manual)] = Field(
        min_length=1, description="Path of the inventory as the worker sees it, or hosts: web1,web2."
    )
    login: RemoteLogin = Field(default_factory=RemoteLogin, description="How to log in to its hosts.")

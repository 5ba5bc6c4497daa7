"""An inventory and a login that the server keeps: a flow names them, and no password leaves their block."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from pydantic import SecretStr, ValidationError

from remotejobs.errors import UsageError
from remotejobs.inventory.variables import text
from remotejobs.model import Handle
from remotejobs.prefect import Access, RemoteInventory, RemoteLogin
from remotejobs.prefect.tasks.access import command_line, place_of
from remotejobs.prefect.tasks.connections import connections

PROJECT = Path(__file__).parents[3]
SECRETS = ("open sesame", "sudo sesame")
NAMED = Access(inventory="remote-inventory/production")


@pytest.fixture(scope="module")
def kept(access: Access) -> Iterator[RemoteInventory]:
    """The inventory of the lab, and a login, as blocks of the server."""
    login = RemoteLogin(user="deploy", password=SecretStr(SECRETS[0]), become_password=SecretStr(SECRETS[1]))
    login.save("deploy")
    block = RemoteInventory(path=access.where, login=login)
    block.save("production")
    yield block
    place_of.cache_clear()


def test_a_flow_takes_its_hosts_and_their_login_from_a_block_that_it_names(kept: RemoteInventory) -> None:
    hosts = connections().fleet(NAMED).hosts
    assert {"db1", "db2", "files1"} <= set(hosts)
    assert {text(host, "ansible_user", "ansible_ssh_user") for host in hosts.values()} == {"deploy"}
    assert {text(host, "ansible_password", "ansible_ssh_password") for host in hosts.values()} == {SECRETS[0]}
    assert NAMED.choice().password == SECRETS[1]
    shown = f"{kept} {kept!r} {kept.model_dump_json()} {NAMED!r} {NAMED.choice()!r} {hosts!r}"
    assert not [secret for secret in SECRETS if secret in shown]


def test_a_flow_with_an_event_loop_finds_the_block_too(kept: RemoteInventory) -> None:
    place_of.cache_clear()

    @flow
    async def path() -> str:
        return NAMED.where

    assert asyncio.run(path()) == kept.path


def test_several_inventories_are_merged_and_have_one_login(kept: RemoteInventory) -> None:
    more = Access(inventory=("web1,web2,", "remote-inventory/production"))
    hosts = connections().fleet(more).hosts
    assert {"db1", "web1", "web2"} <= set(hosts)
    assert {text(host, "ansible_user", "ansible_ssh_user") for host in hosts.values()} == {"deploy"}
    RemoteInventory(path=kept.path, login=RemoteLogin(user="root")).save("other", overwrite=True)
    with pytest.raises(UsageError, match="have a login each"):
        connections().fleet(Access(inventory=("remote-inventory/other", "remote-inventory/production")))


def test_messages_name_the_file_and_not_the_block_which_no_command_line_knows(kept: RemoteInventory) -> None:
    words = command_line("status", Handle(host="db1", jid="a.1"), NAMED)
    assert words == f"remotejobs status db1 a.1 -i {kept.path} -u deploy -k --ask-become-pass"


@pytest.mark.usefixtures("kept")
def test_the_server_gives_the_passwords_only_to_requests_for_secrets() -> None:
    with get_client(sync_client=True) as client:
        shown = client.read_block_document_by_name("production", "remote-inventory", include_secrets=False)
    assert not [secret for secret in SECRETS if secret in shown.model_dump_json()]


@pytest.mark.parametrize("wrong", [{"password": [SECRETS[0]]}, {"pasword": SECRETS[0]}])
def test_what_is_refused_is_named_and_not_shown(wrong: dict[str, object]) -> None:
    (name,) = wrong
    with pytest.raises(ValidationError, match=rf"login\.{name}") as refused:
        RemoteInventory.model_validate({"path": "hosts.yml", "login": wrong})
    assert SECRETS[0] not in str(refused.value)


def test_a_block_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="Remote Inventory block 'nowhere' cannot be read: there is none"):
        connections().fleet(Access(inventory="remote-inventory/nowhere"))


def test_the_example_is_no_inventory_in_a_block_either() -> None:
    with pytest.raises(ValidationError, match="is only an example"):
        RemoteInventory(path="inventories/example.yml")


def test_prefect_registers_the_blocks_with_what_the_ui_shows_of_them() -> None:
    address = PREFECT_API_URL.value()
    assert address
    register = [sys.executable, "-m", "prefect", "block", "register", "-m", "remotejobs.prefect"]
    subprocess.run(register, check=True, env={**os.environ, "PREFECT_API_URL": address}, cwd=PROJECT, timeout=300)
    with get_client(sync_client=True) as client:
        for slug in ("remote-inventory", "remote-login", "remote-job"):
            kind = client.read_block_type_by_slug(slug)
            assert kind.logo_url and kind.description and "from remotejobs.prefect import" in (kind.code_example or "")

"""A password for SSH that is kept by the server, in a block whose name is all that a run knows."""

from __future__ import annotations

import pytest
from prefect.blocks.system import Secret
from pydantic import SecretStr

from remotejobs.errors import UsageError
from remotejobs.inventory.variables import text
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.connections import connections
from remotejobs.prefect.tasks.monitor import survey


def test_it_opens_every_host_and_is_looked_up_by_its_name(access: Access) -> None:
    secret: Secret[str] = Secret(value=SecretStr("open sesame"))
    secret.save("ssh-of-all")
    mine = access.model_copy(update={"ssh_password_block": "ssh-of-all"})
    hosts = connections().fleet(mine).hosts
    assert {text(host, "ansible_password", "ansible_ssh_pass", "ansible_ssh_password") for host in hosts.values()} == {
        "open sesame"
    }
    assert "open sesame" not in f"{mine!r} {mine.model_dump_json()} {hosts!r}"


def test_a_block_that_is_not_there_is_named(access: Access) -> None:
    mine = access.model_copy(update={"ssh_password_block": "nowhere-to-be-found"})
    with pytest.raises(UsageError, match="Secret block 'nowhere-to-be-found' cannot be read"):
        connections().fleet(mine)


def test_the_monitor_opens_the_hosts_with_it_too(access: Access) -> None:
    mine = access.model_copy(update={"ssh_password_block": "nowhere-to-be-found"})
    with pytest.raises(UsageError, match="Secret block 'nowhere-to-be-found' cannot be read"):
        survey.fn(mine, "db1")

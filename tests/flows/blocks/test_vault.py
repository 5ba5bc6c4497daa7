"""The passwords of vaults come from Secret blocks, and are in no parameter."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret  # type: ignore[import-untyped]
from prefect.blocks.system import Secret
from pydantic import SecretStr

from remotejobs.errors import UsageError
from remotejobs.prefect.tasks.access import Access


def encrypted(plain: str, password: str, label: str) -> str:
    sealed: bytes = VaultLib().encrypt(plain, VaultSecret(password.encode()), label)
    return sealed.decode()


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    (tmp_path / "hosts").write_text("[web]\nw1\n")
    (tmp_path / "more").write_text("[web]\nw2\n")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "web").write_text(encrypted("pin: opened\n", "of-prod", "prod"))
    return tmp_path / "hosts"


def test_several_inventories_and_their_vaults_are_read(inventory: Path) -> None:
    secret: Secret[str] = Secret(value=SecretStr("of-prod"))
    secret.save("vault-of-prod", overwrite=True)
    both = (str(inventory), str(inventory.with_name("more")))
    access = Access(inventory=both, vault_blocks=("prod@vault-of-prod",))
    assert [host.variables["pin"] for host in access.load().hosts.values()] == ["opened", "opened"]
    assert access.words == ["-i", both[0], "-i", both[1], "--vault-id", "prod@ask"]
    assert access.name == "hosts+more"
    configured = access.model_copy(update={"ansible_config": "a.cfg", "ssh_password_block": "of-ssh"})
    assert configured.words == [*access.words, "--ansible-config", "a.cfg", "-k"]
    assert Access.model_validate_json(access.model_dump_json()) == access


def test_a_flow_opens_no_vault_that_it_does_not_need(inventory: Path) -> None:
    inventory.with_name("more.yml").write_text(f"x: {{hosts: {{x1: {{pin: !vault '{encrypted('a', 'b', '')}'}}}}}}\n")
    access = Access(inventory=(str(inventory), str(inventory.with_name("more.yml"))))
    (host,) = access.reach([access.load().hosts["x1"]])
    assert "pin" in host.variables


def test_a_block_that_is_not_there_is_named(inventory: Path) -> None:
    with pytest.raises(UsageError, match="the Secret block 'vault-nowhere' cannot be read"):
        Access(inventory=str(inventory), vault_blocks=("vault-nowhere",)).load()

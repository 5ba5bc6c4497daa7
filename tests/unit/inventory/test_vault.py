"""What ansible-vault encrypted is opened when it is needed, by the right password, and never shown."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from remotejobs.cli import main
from remotejobs.errors import UsageError
from remotejobs.inventory import Inventory, InventoryError, Reading, load_inventory
from remotejobs.inventory.variables import flag, text
from remotejobs.inventory.vault.envelope import parse
from remotejobs.inventory.vault.keys import secrets_named

if TYPE_CHECKING:
    from tests.unit.inventory.conftest import Write

HIDDEN = "hunter2-hidden"


def encrypted(plain: str, password: str = "pw", label: str | None = None) -> str:
    sealed: bytes = VaultLib().encrypt(plain, VaultSecret(password.encode()), label)
    return sealed.decode()


def inline(plain: str, password: str = "pw", label: str | None = None) -> str:
    return "!vault |\n" + "".join(f"        {line}\n" for line in encrypted(plain, password, label).splitlines())


@pytest.fixture
def files() -> dict[str, str]:
    return {
        "hosts.yml": f"web:\n  hosts:\n    w1:\n      pin: {inline(HIDDEN)}db: {{hosts: {{d1: }}}}\n",
        "group_vars/all/vars.yml": 'ansible_user: deploy\nansible_become_password: "{{ vault_become }}"\n',
        "group_vars/all/vault.yml": encrypted(
            f"vault_become: {HIDDEN}\nanswer: 42\ntemplate: '{{{{ ansible_user }}}}'\n"
        ),
        "password": "pw\n",
        "wrong": "other\n",
    }


def read(path: Path, *, ids: tuple[str, ...] = (), files: tuple[str, ...] = ("password",)) -> Inventory:
    words = [f"{label}{at}{path.parent / file}" for label, at, file in (word.rpartition("@") for word in ids)]
    secrets = secrets_named(words, [str(path.parent / file) for file in files], environment={})
    return load_inventory(path, reading=Reading(secrets))


def test_whole_files_and_single_values_are_opened(write: Write, files: Mapping[str, str]) -> None:
    variables = read(write(files)).hosts["w1"].variables
    assert variables["ansible_become_password"] == HIDDEN
    assert variables["pin"] == HIDDEN
    assert variables["answer"] == 42
    assert variables["template"] == "deploy"


def test_an_inventory_in_either_form_may_be_encrypted(write: Write) -> None:
    path = write(
        {"hosts": encrypted("[web]\nw1 x=secret\n"), "hosts.yml": encrypted("web: {hosts: {w2: }}\n"), "password": "pw"}
    )
    assert read(path).hosts["w1"].variables["x"] == "secret"
    assert list(read(path.with_name("hosts.yml")).hosts) == ["w2"]


def test_a_listing_in_json_may_be_encrypted_and_stays_secret(write: Write) -> None:
    listed = {"web": {"hosts": ["w1"], "vars": {"y": [HIDDEN]}}, "_meta": {"hostvars": {"w1": {"x": HIDDEN}}}}
    variables = read(write({"hosts.json": encrypted(json.dumps(listed)), "password": "pw"})).hosts["w1"].variables
    assert variables["x"] == HIDDEN
    assert HIDDEN not in repr([variables["x"], variables["y"]])


def test_files_that_templates_read_are_opened_and_stay_secret(write: Write) -> None:
    """As Ansible opens them; what was in them would otherwise be its cipher text, without a word."""
    files = {
        "hosts": "w1 a=\"{{ lookup('file', 'sealed') }}\" b=\"x{{ lookup('template', 'page') }}\"\n",
        "sealed": encrypted(f"{HIDDEN}\n"),
        "page": encrypted("{{ inventory_hostname }}" + HIDDEN),
        "password": "pw\n",
    }
    path = write(files)
    secrets = secrets_named((), [str(path.with_name("password"))], environment={})
    variables = load_inventory(path, reading=Reading(secrets, path.parent)).hosts["w1"].variables
    assert [variables["a"], variables["b"]] == [HIDDEN, f"xw1{HIDDEN}"]
    assert HIDDEN not in repr([variables["a"], variables["b"]])
    closed = load_inventory(path, reading=Reading(secrets_named(environment={}), path.parent)).hosts["w1"].variables
    with pytest.raises(InventoryError, match=r"sealed: is encrypted with ansible-vault. Give its password"):
        closed["a"]


def test_without_a_password_what_needs_no_secret_goes_on(
    write: Write, files: Mapping[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        host = read(write(files), files=()).hosts["w1"]
    assert host.variables["ansible_user"] == "deploy"
    assert "vault.yml is encrypted" in caplog.text
    with pytest.raises(InventoryError, match=r"It may be in \S+/vault.yml, which is encrypted. Give its password"):
        host.variables["ansible_become_password"]
    with pytest.raises(InventoryError, match=r"web > hosts > w1 > pin: is encrypted with ansible-vault. Give its"):
        host.variables["pin"]


def test_a_wrong_password_is_an_error_when_a_variable_is_needed(write: Write, files: Mapping[str, str]) -> None:
    host = read(write(files), files=("wrong",)).hosts["w1"]
    with pytest.raises(InventoryError, match=r"no password at hand opens it \(tried: \S+/wrong\)"):
        host.variables["ansible_user"]


def test_only_the_vaults_of_a_hosts_own_groups_are_opened(write: Write) -> None:
    files = {
        "hosts": "[web]\nw1\n[db]\nd1\n",
        "group_vars/web.yml": encrypted("x: web\n", "web-pw", "web"),
        "group_vars/db.yml": encrypted("x: db\n", "db-pw", "db"),
        "web-password": "web-pw\n",
        "db-password": "db-pw\n",
    }
    path = write(files)
    alone = read(path, ids=("web@web-password",), files=())
    assert alone.hosts["w1"].variables["x"] == "web"
    with pytest.raises(InventoryError, match="for the vault id 'db', and no password"):
        alone.hosts["d1"].variables["x"]
    both = read(path, ids=("web@web-password", "db@db-password"), files=())
    assert [host.variables["x"] for host in both.hosts.values()] == ["web", "db"]


def test_no_error_log_or_printed_object_shows_what_was_in_a_vault(
    write: Write, files: Mapping[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    more = {
        "group_vars/web.yml": "a: '{{ vault_become | int + [] }}'\nb: '{{ vault_become | bool }}'\nc: 'x{{ pin }}'\n",
        "host_vars/w1/vault.yml": encrypted(f"ansible_become: {HIDDEN}\nlisted: [{HIDDEN}]\n"),
        "host_vars/d1/vault.yml": encrypted(f"x: {HIDDEN}\n  y: !!bool {HIDDEN}\n"),
    }
    inventory = read(write({**files, **more}))
    host = inventory.hosts["w1"]
    said = []
    for name in ("a", "b"):
        with pytest.raises(InventoryError) as caught:
            host.variables[name]
        said.append(str(caught.value))
    with pytest.raises(UsageError) as wrong:
        flag(host, "ansible_become", default=False)
    with pytest.raises(UsageError) as listed:
        text(host, "listed")
    with pytest.raises(InventoryError) as damaged:
        inventory.hosts["d1"].variables["x"]
    shown = [
        str(wrong.value),
        str(listed.value),
        str(damaged.value),
        repr(host),
        repr(host.variables),
        caplog.text,
        repr(host.variables["c"]),
    ]
    assert not [line for line in said + shown if HIDDEN in line]
    assert host.variables["c"] == f"x{HIDDEN}"
    assert damaged.value.__cause__ is None


def test_pickled_an_inventory_holds_no_password_and_nothing_that_was_opened(
    write: Write, files: Mapping[str, str]
) -> None:
    inventory = read(write(files))
    assert inventory.hosts["w1"].variables["ansible_become_password"] == HIDDEN
    pickled = pickle.dumps(inventory)
    assert HIDDEN.encode() not in pickled
    assert b"pw\n" not in pickled


def test_passwords_come_from_the_environment_programs_and_encrypted_files(
    write: Write, files: Mapping[str, str]
) -> None:
    programs = {
        "prints": "#!/bin/sh\necho pw\n",
        "ids-client": '#!/bin/sh\n[ "$1 $2" = "--vault-id default" ] && echo pw\n',
        "fails": "#!/bin/sh\nexit 3\n",
        "sealed": encrypted("pw", "outer"),
        "outer": "outer\n",
    }
    path = write({**files, **programs})
    for name in ("prints", "ids-client", "fails"):
        (path.parent / name).chmod(0o755)
    for program in ("prints", "ids-client"):
        assert read(path, files=(program,)).hosts["w1"].variables["pin"] == HIDDEN
    assert read(path, ids=("o@outer",), files=("sealed",)).hosts["w1"].variables["pin"] == HIDDEN
    secrets = secrets_named(environment={"ANSIBLE_VAULT_PASSWORD_FILE": str(path.parent / "password")})
    assert load_inventory(path, reading=Reading(secrets)).hosts["w1"].variables["pin"] == HIDDEN
    with pytest.raises(UsageError, match="fails ended with 3 and gave no password"):
        read(path, files=("fails",)).hosts["w1"].variables["pin"]
    with pytest.raises(UsageError, match="gone cannot be read"):
        read(path, files=("gone",)).hosts["w1"].variables["pin"]


@pytest.mark.parametrize(
    "sealed", ["$ANSIBLE_VAULT;1.1;AES\n31", "$ANSIBLE_VAULT;1.1;AES256\nxyz", "$ANSIBLE_VAULT;1.1"]
)
def test_a_damaged_vault_is_named(sealed: str, write: Write) -> None:
    path = write({"hosts": sealed, "password": "pw"})
    with pytest.raises(InventoryError, match=r"hosts: (is encrypted with the cipher AES|is damaged|does not begin)"):
        read(path)


plain_texts = st.text(max_size=40).filter(lambda text: not text.startswith("$ANSIBLE_VAULT"))


@settings(max_examples=10, deadline=None)
@given(plain_texts, st.text(min_size=1, max_size=10), st.sampled_from([None, "dev", "a b"]))
def test_whatever_ansible_encrypted_is_opened_with_its_password_only(
    plain: str, password: str, label: str | None
) -> None:
    envelope = parse(encrypted(plain, password, label))
    assert envelope.label == (label or "")
    assert envelope.open(password.encode()) == plain.encode()
    assert envelope.open(password.encode() + b"x") is None


def test_no_table_shows_how_to_reach_a_host_that_a_vault_says(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = encrypted(f"ansible_user: {HIDDEN}\nhidden: 203.0.113.77\nansible_ssh_common_args: -o User={HIDDEN}\n")
    path = write({"hosts": "w1 ansible_host='{{ hidden }}'\n", "group_vars/all.yml": sealed, "password": "pw\n"})
    monkeypatch.chdir(path.parent)
    for words in ([], ["--json"], ["--explain"], ["--explain", "--json"]):
        assert main(["hosts", "w1", "-i", "hosts", "--vault-password-file", "password", *words]) == 0
        printed = capsys.readouterr().out
        assert "********" in printed
        assert HIDDEN not in printed
        assert "203.0.113.77" not in printed

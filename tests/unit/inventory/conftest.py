"""Inventories written for a test, and Ansible itself to hold ours against."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible import context  # type: ignore[import-untyped]
from ansible._internal._templating._engine import TemplateEngine  # type: ignore[import-untyped]
from ansible.cli.inventory import InventoryCLI  # type: ignore[import-untyped]
from ansible.constants import INTERNAL_STATIC_VARS  # type: ignore[import-untyped]
from ansible.inventory.manager import InventoryManager  # type: ignore[import-untyped]
from ansible.parsing.dataloader import DataLoader  # type: ignore[import-untyped]
from ansible.parsing.vault import VaultSecretsContext  # type: ignore[import-untyped]
from ansible.utils.context_objects import CLIArgs  # type: ignore[import-untyped]
from ansible.vars.hostvars import HostVars  # type: ignore[import-untyped]
from ansible.vars.manager import VariableManager  # type: ignore[import-untyped]
from hypothesis import settings

from remotejobs.inventory import Inventory, load_inventory

# How long an example takes says how busy the machine is, and nothing of the inventory.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

Write = Callable[[Mapping[str, str]], Path]
Load = Callable[[str], Inventory]


class Ansible:
    """Ansible's own reading of an inventory."""

    def __init__(self, source: str | list[str], playbook_dir: Path | None = None) -> None:
        loader = DataLoader()
        self._inventory = InventoryManager(loader, source)
        self._variables = VariableManager(loader, self._inventory)
        if playbook_dir:
            loader.set_basedir(str(playbook_dir))
            self._variables.safe_basedir = True
        self._hostvars = HostVars(self._inventory, self._variables, loader)
        self._loader = loader

    @property
    def was_read(self) -> bool:
        """Whether it found no error, of which it only warns."""
        return bool(self._inventory._inventory.processed_sources)

    @property
    def says_something(self) -> bool:
        """Whether it names a host, a group, or a variable of all."""
        of_groups = [group.get_vars() for group in self._inventory.groups.values()]
        return bool(self.hosts or len(of_groups) > 2 or any(of_groups))

    @property
    def hosts(self) -> list[str]:
        return list(self._inventory.hosts)

    @property
    def groups(self) -> dict[str, set[str]]:
        return {name: set(hosts) for name, hosts in self._inventory.get_groups_dict().items()}

    def group_names(self, host: str) -> list[str]:
        names: list[str] = self._inventory.hosts[host].get_magic_vars()["group_names"]
        return names

    def variables(self, host: str) -> dict[str, Any]:
        """As `ansible-inventory --host` shows them, but templated."""
        every = self._variables.get_vars(host=self._inventory.hosts[host], stage="all")
        engine = TemplateEngine(loader=self._loader, variables={**every, "hostvars": self._hostvars})
        own = {k: v for k, v in every.items() if k not in _INTERNAL}
        return {name: engine.template(value) for name, value in own.items()}

    def select(self, pattern: str, limit: str | None = None) -> list[str]:
        self._inventory.subset(limit)
        return [host.name for host in self._inventory.get_hosts(pattern)]


# What `ansible-inventory` leaves out too, and what belongs to playbooks.
_INTERNAL = INTERNAL_STATIC_VARS | {"omit"}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the files named; the path of the first is given back."""

    def files(content: Mapping[str, str]) -> Path:
        for name, text in content.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / next(iter(content))

    return files


@pytest.fixture
def load(write: Write) -> Load:
    """The inventory that a text stands for."""
    return lambda text: load_inventory(write({"hosts.yml": text}))


@pytest.fixture(scope="session")
def ansible() -> type[Ansible]:
    return Ansible


@pytest.fixture
def ansible_inventory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What ansible-inventory prints: in this process, as its start takes seconds."""
    output = tmp_path_factory.mktemp("printed") / "output"

    def begin_anew(options: object) -> None:  # Ansible keeps the options of its first command line
        context.CLIARGS = CLIArgs.from_options(options)

    monkeypatch.setattr(context, "_init_global_context", begin_anew)

    def printed(*words: str) -> str:
        VaultSecretsContext._current = None
        output.unlink(missing_ok=True)
        program = InventoryCLI(["ansible-inventory", *words, "--output", str(output)])
        with warnings.catch_warnings(action="ignore", category=UserWarning), pytest.raises(SystemExit) as ended:
            program.run()
        assert not ended.value.code
        return output.read_text()

    return printed

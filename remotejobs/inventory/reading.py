"""What may be used beside the inventory itself: passwords of vaults, a playbook's directory, lookups that run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from remotejobs.inventory.settings.ansible_cfg import AnsibleConfig
from remotejobs.inventory.vault.keys import secrets_named
from remotejobs.inventory.vault.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read an inventory; without arguments as the environment says.

    `playbook_dir` is where group_vars/ and host_vars/ are too. `config` is an ansible.cfg; none is searched for here.
    `run_lookups` allows templates to run programs (`pipe`) and to write files (`password`).
    """

    secrets: Secrets = field(default_factory=secrets_named)
    playbook_dir: Path | None = None
    config: AnsibleConfig | None = None
    run_lookups: bool = False

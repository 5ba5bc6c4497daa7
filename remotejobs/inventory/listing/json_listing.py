"""`ansible-inventory --list` and `--host`: the same JSON, with values as they are written or templated."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.inventory import Host, Inventory, Variables
from remotejobs.inventory.tree import ALL, Group
from remotejobs.inventory.values import Unsafe, Vault
from remotejobs.inventory.vault.secrets import GIVE

Json = dict[str, Any]
# What ansible-inventory never shows, also where a file sets it: Ansible sets these itself.
_INTERNAL = frozenset(
    {
        "ansible_async_path", "ansible_collection_name", "ansible_config_file", "ansible_dependent_role_names",
        "ansible_diff_mode", "ansible_facts", "ansible_forks", "ansible_inventory_sources", "ansible_limit",
        "ansible_play_batch", "ansible_play_hosts", "ansible_play_hosts_all", "ansible_play_role_names",
        "ansible_playbook_python", "ansible_role_name", "ansible_role_names", "ansible_run_tags", "ansible_skip_tags",
        "ansible_verbosity", "ansible_version", "group_names", "groups", "hostvars", "inventory_dir",
        "inventory_file", "inventory_hostname", "inventory_hostname_short", "play_hosts", "playbook_dir", "role_name",
        "role_names", "role_path", "role_uuid",
    }
)  # fmt: skip


def as_json(data: Json) -> str:
    """As ansible-inventory lays it out."""
    return json.dumps(data, sort_keys=True, indent=4)


def listing(inventory: Inventory, limit: str = "", *, templated: bool = False) -> Json:
    """All groups and all variables, of the hosts in `limit`. Raises `InventoryError` for a vault that stays closed."""
    hosts = inventory.select(ALL, limit or None) if inventory.hosts or limit else ()
    chosen = {host.name for host in hosts}
    groups = {group.name: entry for group in _below(inventory.tree.groups[ALL]) if (entry := _group(group, chosen))}
    variables = {host.name: shown for host in hosts if (shown := _variables(host, templated=templated, marked=True))}
    return {**groups, "_meta": {"hostvars": variables, "profile": "inventory_legacy"}}


def host_listing(inventory: Inventory, name: str, *, templated: bool = False) -> Json:
    """The variables of one host. Raises `PatternError` when it is none or several."""
    return _variables(inventory.select_one(name), templated=templated, marked=False)


def _below(top: Group) -> Iterable[Group]:
    found: dict[Group, None] = {}
    waiting = [top]
    while waiting:
        group = waiting.pop()
        if group not in found:
            found[group] = None
            waiting += group.children
    return found


def _group(group: Group, chosen: set[str]) -> dict[str, list[str]]:
    hosts = [] if group.name == ALL else [name for name in group.hosts if name in chosen]
    children = [child.name for child in group.children]
    return ({"hosts": hosts} if hosts else {}) | ({"children": children} if children else {})


def _variables(host: Host, *, templated: bool, marked: bool) -> Json:
    assert isinstance(host.variables, Variables)
    if host.variables.closed:
        place = host.variables.closed[0]
        raise InventoryError("is encrypted with ansible-vault, and is to be shown", place=place, remedy=GIVE)
    shown = {}
    for name, raw in host.variables.raw.items():
        if name not in _INTERNAL:
            value = host.variables[name] if templated else raw.value
            shown[name] = _shown(value, raw.place, (name,), marked=marked)
    return shown


def _shown(value: Any, place: Place, keys: tuple[str, ...], *, marked: bool) -> Any:
    """As JSON. That a value is no template is `marked` in `--list`; in `--host` below a key `vars` alone, as there."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        is_marked = isinstance(value, Unsafe) and (marked or (len(keys) >= 3 and keys[1] == "vars"))
        return {"__ansible_unsafe": str(value)} if is_marked else str(value)
    if isinstance(value, Vault):
        return {"__ansible_vault": value.ciphertext}
    if isinstance(value, Mapping):
        pairs = ((_key(key), item) for key, item in value.items())
        return {key: _shown(item, place, (*keys, key), marked=marked) for key, item in pairs}
    if isinstance(value, list):
        return [_shown(item, place, (*keys, str(n)), marked=marked) for n, item in enumerate(value)]
    if isinstance(value, date):
        return value.isoformat()
    raise InventoryError(
        f"holds {type(value).__name__}, which JSON has no word for", place=place, remedy="Write it as text."
    )


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    return json.dumps(key) if key is None or isinstance(key, bool | int | float) else str(key)

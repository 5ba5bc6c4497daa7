"""Reading an inventory: its sources into one tree, and from that the hosts with their variables."""

from __future__ import annotations

from pathlib import Path

from remotejobs.errors import UsageError
from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.hosts import HostMaker
from remotejobs.inventory.inventory import Inventory
from remotejobs.inventory.reading import Reading
from remotejobs.inventory.settling.precedence import Precedence
from remotejobs.inventory.settling.unread import warn_of_unread
from remotejobs.inventory.sources.source import add_source
from remotejobs.inventory.tree import Tree


def load_inventory(*sources: str | Path, reading: Reading | None = None) -> Inventory:
    """Read inventories in Ansible's forms with the group_vars/ and host_vars/ beside them, merged in their order.

    Each is a file, a directory whose files are merged in the order of their names, or a list of hosts that contains a
    comma ("web1,web2" or "web1,"). Raises `InventoryError`; without any source `UsageError`.
    """
    if not sources:
        raise UsageError("no inventory is named", remedy="Name a file, a directory, or a list such as 'web1,'.")
    reading = reading or Reading()
    if reading.playbook_dir and not reading.playbook_dir.is_dir():
        raise UsageError(f"{reading.playbook_dir} is no directory", remedy="Name the playbook's directory.")
    names = tuple(str(source) for source in sources)
    tree = Tree()
    bases = [base for name in names if (base := add_source(name, tree, reading))]
    if not tree.hosts and len(tree.groups) == 2 and not any(group.variables for group in tree.groups.values()):
        raise InventoryError(
            "names no host and no group",
            place=Place(", ".join(names)),
            remedy="Write one host a line, or hosts under `all:`.",
        )
    warn_of_unread([*bases, *([reading.playbook_dir] if reading.playbook_dir else [])])
    tree.finish()
    precedence = Precedence(tree, bases, reading.playbook_dir, reading.secrets)
    maker = HostMaker(precedence, tree, reading)
    hosts = {member.name: maker.host(member) for member in tree.hosts.values()}
    return Inventory(names, hosts, maker.groups, tree, maker.implicit)

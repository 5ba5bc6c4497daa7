"""Inventories in Ansible's INI and YAML forms, its host patterns, and the variables of each host."""

from remotejobs.inventory.choice import inventory_paths
from remotejobs.inventory.errors import InventoryError, PatternError
from remotejobs.inventory.inventory import Host, Inventory
from remotejobs.inventory.load import load_inventory
from remotejobs.inventory.reading import Reading

__all__ = ["Host", "Inventory", "InventoryError", "PatternError", "Reading", "inventory_paths", "load_inventory"]

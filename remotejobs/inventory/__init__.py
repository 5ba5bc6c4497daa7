"""Inventories in Ansible's YAML form, its host patterns, and the variables of each host."""

from remotejobs.inventory.choice import inventory_path
from remotejobs.inventory.errors import InventoryError, PatternError
from remotejobs.inventory.inventory import Host, Inventory
from remotejobs.inventory.load import load_inventory

__all__ = ["Host", "Inventory", "InventoryError", "PatternError", "inventory_path", "load_inventory"]

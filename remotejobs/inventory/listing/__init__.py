"""An inventory as `ansible-inventory` prints it."""

from remotejobs.inventory.listing.graph import graph
from remotejobs.inventory.listing.json_listing import as_json, host_listing, listing

__all__ = ["as_json", "graph", "host_listing", "listing"]

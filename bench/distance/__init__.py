"""Hosts that are far away: everything that goes there or comes back is late."""

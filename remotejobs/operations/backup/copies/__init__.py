"""Copies of backups in other places: sent, checked on arrival, and brought back to be restored."""

"""What backups a host has."""

from remotejobs.operations.backup.catalogue.entries import (
    CatalogueEntry,
    Copied,
    DirectoryUnreadable,
    Outgoing,
    backups_on,
)

__all__ = ["CatalogueEntry", "Copied", "DirectoryUnreadable", "Outgoing", "backups_on"]

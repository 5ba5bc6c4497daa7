"""What to back up, where to, for how long, and where its copies go."""

from remotejobs.operations.backup.plan.base import BackupModel, Line, Name, NameOrEmpty, Place, Retention, Unquoted
from remotejobs.operations.backup.plan.copies import CommandCopy, Encryption, HostCopy
from remotejobs.operations.backup.plan.items import (
    CommandItem,
    FilesItem,
    Item,
    MariadbItem,
    OtherServer,
    PostgresItem,
    RedisItem,
    ServerItem,
    SqliteItem,
)
from remotejobs.operations.backup.plan.plan import BackupPlan

__all__ = [
    "BackupModel",
    "BackupPlan",
    "CommandCopy",
    "CommandItem",
    "Encryption",
    "FilesItem",
    "HostCopy",
    "Item",
    "Line",
    "MariadbItem",
    "Name",
    "NameOrEmpty",
    "OtherServer",
    "Place",
    "PostgresItem",
    "RedisItem",
    "Retention",
    "ServerItem",
    "SqliteItem",
    "Unquoted",
]

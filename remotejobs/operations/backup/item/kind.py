"""What the job of an item has because of its kind: settings, environment, and what its function is called with."""

from __future__ import annotations

import re
import shlex

from remotejobs.operations.backup.plan import (
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
from remotejobs.operations.backup.plan.connection import libpq_of
from remotejobs.operations.backup.texts import yes_or_no

_NAMING = re.compile(r"--(table|schema|extension)")  # a name that nothing has is an error then, and not an empty dump
TESTED = (PostgresItem, MariadbItem, RedisItem)  # kinds that may be restored for a test


def settings_of(item: Item) -> list[tuple[str, str]]:
    """Those that items of its kind alone have."""
    match item:
        case ServerItem():
            wanted = ("GLOBALS_WANTED", yes_or_no(item.globals))
            return [wanted, *settings_of(PostgresItem.model_validate(_as_database(item)))]
        case PostgresItem(restore_on=OtherServer() as other):
            there = [
                ("TEST_HOST", other.server),
                ("TEST_PORT", str(other.port)),
                ("TEST_USER", other.user or item.user),
                ("TEST_PASSFILE", other.passfile or item.passfile),
                ("TEST_SSLMODE", other.sslmode),
                ("TEST_SSLROOTCERT", other.sslrootcert),
                ("ROOM_UNCHECKED", yes_or_no(other.room_unchecked)),
            ]
            return [("RESTORE_ON", "other"), *_pg_dump(item), *_restore_settings(item), *there]
        case PostgresItem():
            there = [("RESTORE_ON", str(item.restore_on)), ("ROOM_UNCHECKED", "no")]
            return [*there, *_pg_dump(item), *_restore_settings(item)]
        case MariadbItem():
            there = [("MY_SERVER", item.server), ("MY_PORT", str(item.port)), ("MY_USER", item.user)]
            there += [
                ("MY_PASSFILE", item.passfile),
                ("MY_DATABASE", item.database),
                ("MY_DATABASE_NAME", item.database),
            ]
            return [("RESTORE_ON", "cluster"), *_restore_settings(item), *there]
        case RedisItem():
            there = [("REDIS_SERVER", item.server), ("REDIS_PORT", str(item.port)), ("REDIS_USER", item.user)]
            return [("RESTORE_ON", "cluster"), *_restore_settings(item), *there, ("REDIS_PASSFILE", item.passfile)]
        case FilesItem():
            return [
                ("ON_CHANGE", item.on_change),
                ("KEEP_INCOMPLETE", yes_or_no(item.keep_incomplete)),
                ("ATTRIBUTES", yes_or_no(item.attributes)),
            ]
        case SqliteItem():
            return [("BUSY_TIMEOUT", str(item.busy_timeout))]
        case CommandItem():
            return []


def _as_database(item: ServerItem) -> dict[str, object]:
    """What its databases have in common, as an item of one."""
    return {name: getattr(item, name) for name in PostgresItem.model_fields}


def _pg_dump(item: PostgresItem) -> list[tuple[str, str]]:
    without = [f"--exclude-table-data={pattern}" for pattern in item.exclude_table_data]
    chosen = ["--strict-names"] if any(_NAMING.match(option) for option in item.options) else []
    return [
        ("FORMAT", item.format),
        ("JOBS", str(item.jobs)),
        ("PG_OPTIONS", shlex.join([*item.options, *chosen, *without])),
        ("EXCLUDED", shlex.join(item.exclude_table_data)),
        ("LOCK_TIMEOUT", str(item.lock_timeout * 1000) if item.lock_timeout else ""),
    ]


def _restore_settings(item: PostgresItem | MariadbItem | RedisItem) -> list[tuple[str, str]]:
    return [
        ("LIMIT", str(item.timeout)),
        ("RESTORE_TIMEOUT", str(item.restore_timeout or max(1, item.timeout // 2))),
        ("RESTORE_RESERVE_KIB", str(item.restore_reserve_mib * 1024)),
        ("RESTORE_DIRECTORY", item.restore_directory),
    ]


def extension_of(item: Item) -> str:
    match item:
        case PostgresItem():
            return {"custom": "dump", "directory": "dump.tar", "plain": "sql.gz"}[item.format]
        case MariadbItem():
            return "sql.gz"
        case RedisItem():
            return "rdb"
        case FilesItem():
            return "tar.gz" if item.compress else "tar"
        case SqliteItem():
            return "sqlite"
        case CommandItem():
            return item.extension


def environment_of(item: Item) -> list[tuple[str, str]]:
    return libpq_of(item, item.database) if isinstance(item, PostgresItem) else []


def words_of(item: Item) -> list[str]:
    match item:
        case ServerItem():
            return [*item.exclude]
        case PostgresItem() | MariadbItem() | RedisItem():
            return []
        case FilesItem():
            return [item.base, *_options(item), *map(_below, item.paths)]
        case SqliteItem():
            return [item.path]
        case CommandItem():
            return [item.command, item.check]


def _options(item: FilesItem) -> list[str]:
    """Of tar. A pattern from the root on means that place alone, and tar sees names from the base on."""
    words = ["--one-file-system"] if item.one_file_system else []
    for pattern in item.exclude:
        if pattern.startswith("/"):
            relative = pattern.removeprefix(item.base.rstrip("/")).lstrip("/")
            words += ["--anchored", f"--exclude={relative}", "--no-anchored"]
        else:
            words.append(f"--exclude={pattern}")
    return words


def _below(path: str) -> str:
    """The path as tar takes it from its base; `./` keeps one that starts with a hyphen from being an option."""
    relative = path.lstrip("/") or "."
    return f"./{relative}" if relative.startswith("-") else relative

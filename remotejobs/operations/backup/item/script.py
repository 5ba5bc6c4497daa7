"""From an item of the plan to the job that makes it: shell text, built without asking a host."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Sequence

from remotejobs.agent.functions import command_of
from remotejobs.model import Job
from remotejobs.operations.backup.plan import (
    BackupPlan,
    CommandItem,
    FilesItem,
    Item,
    MariadbItem,
    OtherServer,
    PostgresItem,
    RedisItem,
    Retention,
    ServerItem,
    SqliteItem,
)
from remotejobs.operations.backup.texts import texts

_TEXTS = (
    "item/backup.sh",
    "item/record.sh",
    "item/place.sh",
    "item/hooks.sh",
    "kinds/postgres.sh",
    "kinds/restore_test.sh",
    "kinds/cluster.sh",
    "kinds/files.sh",
    "kinds/sqlite.sh",
    "kinds/mariadb.sh",
    "kinds/redis.sh",
    "item/retention.sh",
    "copies/seal.sh",
    "kinds/server.sh",
)
TESTED = (PostgresItem, MariadbItem, RedisItem)  # kinds that may be restored for a test
GRACE = 30  # seconds: after a TERM the scratch database is still to be dropped

_LABELS = {
    "postgres": "pg_dump",
    "server": "databases of",
    "files": "tar",
    "sqlite": "sqlite3",
    "mariadb": "mariadb-dump",
    "redis": "redis",
    "command": "command",
}


def shell_text() -> str:
    """All of the agent: `backup.sh`, and what it calls."""
    return texts(_TEXTS)


def job_of(plan: BackupPlan, item: Item, *, host: str, jid: str, run: str = "") -> Job:
    """The job that backs `item` up on `host`. The same arguments give the same job, so that it can be attached to.

    `run` is the id of the flow run that it is for; it is kept in the record of the backup.
    """
    settings = [f"{name}={shlex.quote(value)}" for name, value in _settings(plan, item, host)]
    settings.append(f"RECORD={shlex.quote(_record(plan, item, host, jid, run))}")
    settings += [_copies(plan), _hooks("before", item.before), _hooks("after", item.after)]
    exports = [f"export {name}={shlex.quote(value)}" for name, value in _libpq(item)]
    return Job(
        jid=jid,
        cmd=command_of(shell_text(), _function(item), *_words(item), before=[*settings, *exports]),
        label=label_of(item),
        timeout=item.timeout,
        grace=GRACE,
        # Whoever begins it: another run, another deployment, a migration that backs up first.
        locks=(lock_of(item),),
        queue_timeout=item.timeout,
    )


def _record(plan: BackupPlan, item: Item, host: str, jid: str, run: str) -> str:
    """What is known of a backup before it is made, as members of a JSON object."""
    known: dict[str, object] = {
        "host": host,
        "plan": plan_of(plan, item),
        "run": run,
        "jid": jid,
    }
    match item:
        case PostgresItem():
            known |= {"server": item.server, "port": item.port}
        case MariadbItem() | RedisItem():
            known |= {"server": item.server, "port": item.port}
        case FilesItem():
            known |= {"base": item.base, "paths": list(item.paths)}
        case SqliteItem():
            known |= {"path": item.path}
        case CommandItem():
            known |= {"command": item.command}
    return json.dumps(known)[1:-1]


def _function(item: Item) -> str:
    return "bk_server_main" if isinstance(item, ServerItem) else "bk_main"


def lock_of(item: Item) -> str:
    """The lock that all jobs of this item take on a host."""
    return f"backup:{item.name}"


def plan_of(plan: BackupPlan, item: Item) -> str:
    """Whose the item's backups are, in words; kept beside them. The retention's mode may change at any time."""
    if plan.name:
        return f"plan {plan.name}"
    match item:
        case ServerItem():
            what = f"databases at {item.server or 'the local socket'}:{item.port}"
        case PostgresItem():
            what = f"database {item.database} at {item.server or 'the local socket'}:{item.port}"
        case MariadbItem():
            what = f"database {item.database} of MariaDB at {item.server or 'the local socket'}:{item.port}"
        case RedisItem():
            what = f"Redis at {item.server}:{item.port}"
        case FilesItem():
            what = f"files below {item.base}"
        case SqliteItem():
            what = f"the SQLite database {item.path}"
        case CommandItem():
            what = "the output of a command"
    keep = plan.retention
    kept = f"last {keep.last}, daily {keep.daily}, weekly {keep.weekly}, monthly {keep.monthly}"
    return f"a plan without a name: {what}; {kept}"


def label_of(item: Item) -> str:
    """What people read: `pg_dump orders`."""
    return f"{_LABELS[item.kind]} {item.name}"


def scratch_database(host: str, item: str) -> str:
    """A name for the restore test that no other host's test and no real database has; at most 63 bytes."""
    digest = hashlib.sha256(f"{host}\0{item}".encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "_", item.lower())[:30]
    return f"remotejobs_restore_{readable}_{digest}"


def _settings(plan: BackupPlan, item: Item, host: str) -> list[tuple[str, str]]:
    return [
        ("ITEM", item.name),
        ("KIND", item.kind),
        ("EXTENSION", _extension(item)),
        ("DIRECTORY", plan.directory),
        ("MIN_BYTES", str(item.min_bytes)),
        ("MIN_FREE_KIB", str(plan.min_free_mib * 1024)),
        ("RETENTION", plan.retention.mode),
        ("LAST", str(plan.retention.last)),
        ("DAILY", str(plan.retention.daily)),
        ("WEEKLY", str(plan.retention.weekly)),
        ("MONTHLY", str(plan.retention.monthly)),
        ("RESTORE_TEST", _word(isinstance(item, TESTED) and item.restore_test)),
        ("SCRATCH", scratch_database(host, item.name)),
        ("PLAN", plan_of(plan, item)),
        ("MUST_EXIST", "yes" if plan.must_exist else "no"),
        ("MUST_BE_MOUNT", plan.must_be_mount),
        ("WINDOW", plan.window),
        ("NICE", str(plan.nice)),
        ("IO", plan.io),
        ("SEAL", plan.encrypts.program if plan.encrypts else ""),
        ("RECIPIENTS", shlex.join(plan.encrypts.recipients) if plan.encrypts else ""),
        ("HOST_COPIES", _word(bool(plan.copies))),
        *_settings_of(item),
    ]


def _copies(plan: BackupPlan) -> str:
    """The function that sends a copy to each place that a command reaches."""
    calls = [
        shlex.join(
            [
                *("bk_copy", place.name, _word(place.encrypted), place.send, place.fetch, place.remove),
                *(place.retention.mode, *_numbers(place.retention)),
            ]
        )
        for place in plan.copy_commands
    ]
    return _shell_function("bk_copies", calls)


def _hooks(when: str, commands: Sequence[str]) -> str:
    """The function that runs the plan's own commands before or after a dump."""
    calls = [shlex.join(["bk_hook", when, command]) for command in commands]
    return _shell_function(f"bk_{when}", calls)


def _shell_function(name: str, calls: Sequence[str]) -> str:
    return "\n".join([f"{name}() {{", *calls, "}"]) if calls else f"{name}() {{ :; }}"


def _numbers(keep: Retention) -> tuple[str, ...]:
    return tuple(map(str, (keep.last, keep.daily, keep.weekly, keep.monthly)))


def _word(yes: bool) -> str:
    return "yes" if yes else "no"


def _settings_of(item: Item) -> list[tuple[str, str]]:
    """Those that items of its kind alone have."""
    match item:
        case ServerItem():
            wanted = ("GLOBALS_WANTED", "yes" if item.globals else "no")
            return [wanted, *_settings_of(PostgresItem.model_validate(_as_database(item)))]
        case PostgresItem(restore_on=OtherServer() as other):
            there = [
                ("TEST_HOST", other.server),
                ("TEST_PORT", str(other.port)),
                ("TEST_USER", other.user or item.user),
                ("TEST_PASSFILE", other.passfile or item.passfile),
                ("ROOM_UNCHECKED", "yes" if other.room_unchecked else "no"),
            ]
            return [("RESTORE_ON", "other"), *_restore_settings(item), *there]
        case PostgresItem():
            return [("RESTORE_ON", str(item.restore_on)), *_restore_settings(item), ("ROOM_UNCHECKED", "no")]
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
                ("KEEP_INCOMPLETE", "yes" if item.keep_incomplete else "no"),
                ("ATTRIBUTES", "yes" if item.attributes else "no"),
            ]
        case SqliteItem():
            return [("BUSY_TIMEOUT", str(item.busy_timeout))]
        case CommandItem():
            return []


def _as_database(item: ServerItem) -> dict[str, object]:
    """What its databases have in common, as an item of one."""
    return {name: getattr(item, name) for name in PostgresItem.model_fields}


def _restore_settings(item: PostgresItem | MariadbItem | RedisItem) -> list[tuple[str, str]]:
    return [
        ("LIMIT", str(item.timeout)),
        ("RESTORE_TIMEOUT", str(item.restore_timeout or max(1, item.timeout // 2))),
        ("RESTORE_RESERVE_KIB", str(item.restore_reserve_mib * 1024)),
        ("RESTORE_DIRECTORY", item.restore_directory),
    ]


def _extension(item: Item) -> str:
    match item:
        case PostgresItem():
            return "dump"
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


def _libpq(item: Item) -> list[tuple[str, str]]:
    """Environment rather than options: libpq would take a database name with `=` in it for a connection string."""
    if not isinstance(item, PostgresItem):
        return []
    named = [
        ("PGDATABASE", item.database),
        ("PGHOST", item.server),
        ("PGPORT", str(item.port)),
        ("PGUSER", item.user),
        ("PGPASSFILE", item.passfile),
    ]
    return [(name, value) for name, value in named if value]


def _words(item: Item) -> list[str]:
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

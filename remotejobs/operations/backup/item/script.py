"""From an item of the plan to the job that makes it: shell text, built without asking a host."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Sequence

from remotejobs.agent.shell import command_of
from remotejobs.model import Job
from remotejobs.operations.backup.item.kind import (
    TESTED,
    environment_of,
    extension_of,
    settings_of,
    words_of,
)
from remotejobs.operations.backup.plan import (
    BackupPlan,
    CommandItem,
    FilesItem,
    Item,
    MariadbItem,
    PostgresItem,
    RedisItem,
    Retention,
    ServerItem,
    SqliteItem,
)
from remotejobs.operations.backup.plan.connection import programs_first
from remotejobs.operations.backup.texts import texts, yes_or_no

_TEXTS = (
    "item/backup.sh",
    "item/reading.sh",
    "item/record.sh",
    "item/place.sh",
    "item/hooks.sh",
    "kinds/pg_archive.sh",
    "kinds/postgres.sh",
    "kinds/restore_test.sh",
    "kinds/cluster.sh",
    "kinds/files.sh",
    "kinds/sqlite.sh",
    "kinds/mariadb.sh",
    "kinds/redis.sh",
    "item/retention.sh",
    "copies/seal.sh",
    "copies/commands.sh",
    "kinds/server.sh",
)
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
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment_of(item)]
    exports += programs_first(item.programs) if isinstance(item, PostgresItem) else []
    return Job(
        jid=jid,
        cmd=command_of(shell_text(), _function(item), *words_of(item), before=[*settings, *exports]),
        label=label_of(item),
        timeout=item.timeout,
        grace=GRACE,
        # For every caller: another run, another deployment, a migration that backs up first.
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
        ("EXTENSION", extension_of(item)),
        ("DIRECTORY", plan.directory),
        ("MIN_BYTES", str(item.min_bytes)),
        ("MIN_FREE_KIB", str(plan.min_free_mib * 1024)),
        ("RETENTION", plan.retention.mode),
        ("LAST", str(plan.retention.last)),
        ("DAILY", str(plan.retention.daily)),
        ("WEEKLY", str(plan.retention.weekly)),
        ("MONTHLY", str(plan.retention.monthly)),
        ("RESTORE_TEST", yes_or_no(isinstance(item, TESTED) and item.restore_test)),
        ("SCRATCH", scratch_database(host, item.name)),
        ("PLAN", plan_of(plan, item)),
        ("MUST_EXIST", yes_or_no(plan.must_exist)),
        ("MUST_BE_MOUNT", plan.must_be_mount),
        ("WINDOW", plan.window),
        ("NICE", str(plan.nice)),
        ("IO", plan.io),
        ("SEAL", plan.encrypts.program if plan.encrypts else ""),
        ("RECIPIENTS", shlex.join(plan.encrypts.recipients) if plan.encrypts else ""),
        ("BACKUP_HOST", host),
        ("HOST_COPIES", yes_or_no(bool(plan.copies))),
        *settings_of(item),
    ]


def _copies(plan: BackupPlan) -> str:
    """The function that sends a copy to each place that a command reaches."""
    calls = [
        shlex.join(
            [
                *("bk_copy", place.name, yes_or_no(place.encrypted), yes_or_no(place.records)),
                *(place.send, place.fetch, place.remove),
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

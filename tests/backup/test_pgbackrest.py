"""The recipe of the manual runs pgBackRest, and believes what it says, not that it ended with 0."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from remotejobs.model import Record, State
from remotejobs.operations.backup import BackupPlan, CommandItem, report_of

MANUAL = Path(__file__).parents[2] / "docs" / "how-to" / "backups.md"
Back_up = Callable[..., Record]
# PostgreSQL refuses to run as root, and pgBackRest is the user that its server runs as.
AS_NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []


@dataclass(frozen=True)
class Stanza:
    """A server that archives its log, and what a job needs to find the stanza `main`."""

    repository: Path
    env: dict[str, str]


@pytest.fixture(scope="module")
def items() -> dict[str, CommandItem]:
    """Those of the manual."""
    (block,) = re.findall(r"<!-- pgbackrest -->\n```yaml\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    return {item.name: item for item in BackupPlan.model_validate(yaml.safe_load(block)["plan"]).commands}


@pytest.fixture(scope="module")
def stanza() -> Iterator[Stanza]:
    home = Path(tempfile.mkdtemp(prefix="rj-pgbackrest-"))
    bin_directory = max(Path("/usr/lib/postgresql").glob("*/bin"))
    try:
        home.chmod(0o755)
        for name in ("data", "repo", "socket", "log", "bin"):
            (home / name).mkdir()
            if AS_NOBODY and name != "bin":
                shutil.chown(home / name, "nobody", "nogroup")
        config = home / "pgbackrest.conf"
        config.write_text(
            f"[global]\nrepo1-path={home}/repo\nrepo1-retention-full=2\nlog-path={home}/log\nlock-path={home}/log\n"
            f"spool-path={home}/log\nstart-fast=y\n[main]\npg1-path={home}/data\npg1-socket-path={home}/socket\npg1-user=app\n"
        )
        program = home / "bin" / "pgbackrest"
        program.write_text(f'#!/bin/sh\nexec {" ".join(AS_NOBODY)} /usr/bin/pgbackrest "$@"\n')
        program.chmod(0o755)
        env = {"PATH": f"{program.parent}:{os.environ['PATH']}", "PGBACKREST_CONFIG": str(config)}

        def run(*words: str | Path) -> None:
            subprocess.run([*AS_NOBODY, *words], check=True, capture_output=True, cwd="/", env={**os.environ, **env})

        run(bin_directory / "initdb", "-N", "-D", home / "data", "-U", "app", "-A", "trust")
        with (home / "data" / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses=''\nunix_socket_directories='{home}/socket'\nfsync=off\narchive_mode=on\n"
                f"archive_command='/usr/bin/pgbackrest --config={config} --stanza=main archive-push %p'\n"
            )
        run(bin_directory / "pg_ctl", "-D", home / "data", "-l", home / "log" / "server", "-w", "start")
        try:
            run("/usr/bin/pgbackrest", "--stanza=main", "stanza-create")
            yield Stanza(home / "repo", env)
        finally:
            run(bin_directory / "pg_ctl", "-D", home / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home)


def test_a_backup_counts_when_pgbackrest_says_so_and_damage_is_found(
    back_up: Back_up, items: dict[str, CommandItem], stanza: Stanza
) -> None:
    record = back_up(items["main-pitr"], env=stanza.env)
    assert record.state is State.SUCCEEDED, record.stderr
    (said,) = json.loads(Path(report_of(record).path).read_text())
    assert [backup["error"] for backup in said["backup"]] == [False]
    record = back_up(items["main-pitr-verify"], env=stanza.env)
    assert record.state is State.SUCCEEDED, record.stderr
    damaged = next(stanza.repository.glob("backup/main/*F/pg_data/base/*/*.gz"))
    damaged.write_bytes(damaged.read_bytes()[:-5] + b"12345")
    record = back_up(items["main-pitr-verify"], env=stanza.env)
    assert record.state is State.FAILED
    assert b"failed at step check: the check ended with 1" in record.stderr


def test_a_stanza_that_is_not_there_is_no_success_although_info_ends_with_0(
    back_up: Back_up, items: dict[str, CommandItem], stanza: Stanza
) -> None:
    item = items["main-pitr"]
    asks_only = item.command.partition(" && ")[2].replace("--stanza=main", "--stanza=other")
    record = back_up(item.model_copy(update={"command": asks_only}), env=stanza.env)
    assert b"failed at step check" in record.stderr

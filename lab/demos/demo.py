"""`make demo`: start the lab, back up its databases by the nightly deployment, show the report, stop everything."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from lab.demos.backup import run_backup
from lab.demos.stage import Say, Stage, open_stage
from lab.process import LabError

# Its dump is good, and cannot be loaded: while pg_restore fills the view, names without a schema mean nothing. Such a
# backup stays, untested, with a warning.
_UNLOADABLE = """
CREATE FUNCTION all_views() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM page_view); END';
CREATE MATERIALIZED VIEW total AS SELECT all_views();
"""


def say(line: str) -> None:
    print(line, flush=True)


def perform(
    name: str,
    act: Callable[[Stage], None],
    *,
    opened: Callable[[Say], AbstractContextManager[Stage]] = open_stage,
) -> int:
    """Do `act` on a stage, as `opened` opens it; the exit code: 0, 1 with the reason on stderr, 130 after Ctrl-C."""
    try:
        with opened(say) as stage:
            act(stage)
    except LabError as error:
        print(f"The {name} failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("Interrupted; everything was stopped.")
        return 130
    say(f"The {name} succeeded; everything was stopped.")
    return 0


def demonstrate(stage: Stage) -> None:
    stage.postgres.query(_UNLOADABLE, "analytics")
    say("  analytics   has a view now that cannot be restored: its backup is kept with a warning")
    run_backup(stage, say)
    say("\nWhere to find it")
    say(f"  the backups     {stage.directory}/hosts/*/home/backups")
    say(f"  the jobs        {stage.directory}/hosts/*/home/.remotejobs")
    say(f"  the logs        {stage.directory}/prefect/*.log, {stage.directory}/hosts/*/sshd.log")
    say("  the run         make up, and the address that it prints, in a browser")


if __name__ == "__main__":
    sys.exit(perform("demo", demonstrate))

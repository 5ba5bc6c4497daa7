"""`make demo-migration`: migrate two shops of 200,000 rows, then let one fail halfway and see it rolled back."""

from __future__ import annotations

import sys

from rich.markdown import Markdown

from lab.demos.demo import perform, say
from lab.demos.shop import FAILURE, NOTHING, Shop, backup_plan, commands
from lab.demos.stage import Stage
from lab.process import LabError
from lab.runs import await_end, console, start
from lab.servers.prefect.api import RunStatus

HOSTS = ("db1", "db2")


def demonstrate(stage: Stage) -> None:
    shop = Shop(stage.postgres)
    say(f"\nFirst: back up and migrate a table of 200,000 rows on {' and '.join(HOSTS)}, and verify it.")
    migrate(stage, shop, NOTHING, "Completed")
    say(f"\nThen: the same again, but with an error when half of the rows are changed ({FAILURE}), to be rolled back.")
    migrate(stage, shop, FAILURE, "RolledBack")
    if any(shop.checksum(host) != shop.untouched for host in HOSTS):
        raise LabError("the data are not as before")
    say("\nEvery row and the table's definition are as before, by checksum.")


def migrate(stage: Stage, shop: Shop, halfway: str, wanted: str) -> RunStatus:
    """Migrate fresh shops on all hosts and print the report; `LabError` when it ends in another state than `wanted`."""
    for host in HOSTS:
        shop.open_on(stage.ssh.host(host))
    run = start(stage.api, "migration", parameters(stage, halfway))
    say(f"Migrating: {stage.prefect.url}/v2/runs/flow-run/{run.id}")
    ended = await_end(stage.api, run)
    for report in stage.api.reports(ended):
        console().print(Markdown(str(report.data)))
    state = ended.state.name if ended.state else ""
    if state != wanted:
        raise LabError(f"the migration ended as {state}, not as {wanted}: {ended.state.message if ended.state else ''}")
    return ended


def parameters(stage: Stage, halfway: str, **others: object) -> dict[str, object]:
    """The parameters of a migration of the shops that backs them up first; `halfway` is SQL to run in the middle."""
    return {
        "access": {"inventory": str(stage.inventory)},
        "hosts": ":".join(HOSTS),
        "commands": commands(halfway, backed_up=True).model_dump(),
        "backup_first": backup_plan(stage.postgres, HOSTS).model_dump(mode="json"),
        "poll": 1,
        **others,
    }


if __name__ == "__main__":
    sys.exit(perform("migration demo", demonstrate))

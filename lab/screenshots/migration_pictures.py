"""`make pictures`: go through a migration in the lab and take the pictures of docs/how-to/migration.md."""

from __future__ import annotations

import sys

from lab.demos.demo import perform, say
from lab.demos.migration_demo import parameters
from lab.demos.shop import FAILURE, Shop, backup_plan
from lab.demos.stage import Stage
from lab.runs import deployment
from lab.screenshots.migration_ui import MigrationPage
from lab.screenshots.pictures import IMAGES, browser


def take(stage: Stage) -> None:
    Shop(stage.postgres).open_on(stage.ssh.host("db1"))
    plan = backup_plan(stage.postgres, ["db1"]).model_dump(mode="json")
    wanted = deployment(stage.api, "migration")
    stage.api.set_parameters(wanted, parameters(stage, FAILURE, backup_first=plan, approval={"needed": True}))
    with browser(height=1000) as page:
        person = MigrationPage(page, stage.prefect.url, IMAGES)
        person.open_form()
        person.fill("hosts", "db1")
        run = person.submit()
        person.answer(approve=True, reason="seen on staging")
        person.await_outcome(run, "RolledBack")
        person.read_report(run)
    say(f"Pictures are in {IMAGES}")


if __name__ == "__main__":
    sys.exit(perform("taking of pictures", take))

"""`make demo-rolling`: update a site under load through HAProxy, then a bad version that is stopped and reverted."""

from __future__ import annotations

import sys
from typing import Any

from lab.demos.site_stage import SiteStage, open_site_for_people
from lab.load import Load, LoadReport
from lab.process import LabError
from lab.runs import await_end, last_table, print_rows, start
from lab.servers.prefect.api import RunStatus


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """The exit code: 0, 1 with the reason on stderr, 130 after Ctrl-C."""
    try:
        with open_site_for_people(say) as stage:
            say("\nAn operator puts web4 into maintenance: the update leaves it there.")
            stage.site.haproxy.say("set server app/web4 state maint")
            reports = [
                update(stage, "2.0", "Completed", canary=1, serial="50%")[0],
                update(stage, "bad-3.0", "Reverted", canary=1, serial="50%", revert="updated")[0],
            ]
            if (status := stage.site.haproxy.status("web4")) != "MAINT":
                raise LabError(f"web4 was in maintenance, and is {status} after the updates")
    except LabError as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("Interrupted; everything was stopped.")
        return 130
    failed = sum(len(report.failures) for report in reports)
    say(f"{failed} of {sum(report.requests for report in reports)} requests failed; everything was stopped.")
    return 1 if failed else 0


def update(stage: SiteStage, version: str, wanted: str, **plan: Any) -> tuple[LoadReport, RunStatus]:
    """Run one update under load and show what came of it; `LabError` when it ended in another state than `wanted`."""
    if version.startswith("bad"):
        plan["health"] = stage.site.update(version)["health"] | {"deadline": 5}
    with Load(stage.site.haproxy.url, stage.directory / "load") as load:
        run = start(stage.api, "rolling-update", stage.parameters(version, **plan))
        say(f"\nUpdating to {version}: {stage.prefect.url}/v2/runs/flow-run/{run.id}")
        ended = await_end(stage.api, run)
    print_rows(f"Rolling update to {version}", last_table(stage.api, run, "rolling-update"))
    state = ended.state.name if ended.state else "Unknown"
    say(f"{state}: {ended.state.message if ended.state else ''}")
    say(f"{load.report}")
    for failure in load.report.failures[:10]:
        say(f"  {failure}")
    if state != wanted:
        raise LabError(f"the update to {version} ended as {state}, not as {wanted}")
    return load.report, ended


if __name__ == "__main__":
    sys.exit(main())

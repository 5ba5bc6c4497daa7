"""Between the canary and the other hosts a person agrees, in the UI, with the canary's figures at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.demos.site_stage import SiteStage
from lab.load import Load
from lab.runs import await_end, await_state, start
from lab.servers.prefect.api import RunStatus
from lab.servers.web.site import WEB
from remotejobs.errors import UsageError
from remotejobs.operations.rolling import Update
from remotejobs.prefect.tasks.approval import NOT_NEEDED, WAITS, Approval
from remotejobs.prefect.tasks.rolling.gate import check_gate
from tests.rolling.site_state import home, statuses, versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NOTED = 'echo "$VERSION" >>deploys; app/deploy.sh "$VERSION" 0'


def at_the_gate(stage: SiteStage, version: str) -> RunStatus:
    """An update whose canary is updated, and that waits for an answer."""
    (home(stage.site, "web1") / "deploys").unlink(missing_ok=True)
    plan = stage.parameters(version, deploy=NOTED, canary=1, soak=1, serial=3)
    run = start(stage.api, "rolling-update", {**plan, "gate": {"needed": True}})
    # Its name comes last: then the question is there too.
    waits = await_state(stage.api, run, lambda now: now.final or now.name.endswith(WAITS))
    assert waits.state
    assert waits.state.name == "Suspended", waits.state.message
    return run


def test_nothing_but_the_canary_is_updated_before_a_yes_and_no_request_is_lost(
    stage: SiteStage, tmp_path: Path
) -> None:
    before = versions(stage.site)[-1]
    load = Load(stage.site.haproxy.url, tmp_path / "load")
    with load:
        run = at_the_gate(stage, "3.0")
        assert versions(stage.site) == ["3.0", before, before, before]
        assert statuses(stage.site) == ["UP"] * 4
        asked = stage.api.question(run)
        assert "**3.0** runs on 1 host and stayed healthy for 1 s under load" in asked
        assert f"| web1 | updated | {before} | 3.0 |" in asked
        assert "Update the other 3 hosts? web2, web3, web4" in asked
        stage.api.answer(run, approve=True, reason="it is fine")
        ended = await_end(stage.api, run)
    assert ended.state
    assert ended.state.name == "Completed", ended.state.message
    assert versions(stage.site) == ["3.0"] * 4
    assert (home(stage.site, "web1") / "deploys").read_text() == "3.0\n", "the canary is deployed to once"
    assert load.report.failures == []


def test_a_no_stops_the_update_and_reverts_the_canary(stage: SiteStage) -> None:
    before = versions(stage.site)[-1]
    run = at_the_gate(stage, "4.0")
    stage.api.answer(run, approve=False, reason="it is slower")
    ended = await_end(stage.api, run)
    assert ended.state
    assert ended.state.name == "Reverted", ended.state.message
    assert "stopped: not approved: it is slower" in str(ended.state.message)
    assert versions(stage.site) == [before] * 4
    assert statuses(stage.site) == ["UP"] * len(WEB)


def test_a_gate_at_which_nobody_could_be_asked_is_refused_before_anything_is_changed() -> None:
    health = {"url": "http://web1/", "version": "(.*)"}
    update = Update.model_validate({"version": "2", "deploy": "true", "canary": 1, "health": health})
    check_gate(NOT_NEEDED, update)
    with pytest.raises(UsageError, match="only a run of a deployment can wait for it"):
        check_gate(Approval(needed=True), update)
    with pytest.raises(UsageError, match="there are no canaries before it"):
        check_gate(Approval(needed=True), update.model_copy(update={"canary": 0}))

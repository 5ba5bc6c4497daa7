"""Between the canary and the other hosts a person agrees, in the UI, with the canary's figures at hand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from lab.demos.site_stage import SiteStage
from lab.load import Load
from lab.runs import await_end, await_state, start
from lab.screenshots.approval_ui import RunPage
from lab.screenshots.pictures import browser
from lab.servers.prefect.api import RunStatus
from lab.servers.web.site import WEB
from remotejobs.errors import UsageError
from remotejobs.operations.rolling import Batch, HostReport, Update, UpdateOutcome
from remotejobs.prefect.tasks.access import Access
from remotejobs.prefect.tasks.approval import NOT_NEEDED, WAITS, Approval
from remotejobs.prefect.tasks.rolling.batches import Rollout
from remotejobs.prefect.tasks.rolling.gate import check_gate, gate_question
from tests.rolling.conftest import nothing_lost
from tests.rolling.site_state import home, statuses, versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

HEALTH = {"url": "http://web1/", "version": "(.*)"}
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
        assert stage.api.flow_run(run).name == f"update of web to 3.0{WAITS}"
        assert versions(stage.site) == ["3.0", before, before, before]
        assert statuses(stage.site) == ["UP"] * 4
        asked = stage.api.question(run)
        assert "**3.0** runs on 1 host and stayed healthy for 1 s under load" in asked
        assert re.search(rf"\| web1 \| {re.escape(before)} → 3\.0 \| [\d.]+s \| [\d.]+s \| [\d.]+s \|", asked), asked
        assert "Update the other 3 hosts? web2, web3, web4" in asked
        stage.api.answer(run, approve=True, reason="it is fine")
        ended = await_end(stage.api, run)
    assert ended.state
    assert ended.state.name == "Completed", ended.state.message
    assert versions(stage.site) == ["3.0"] * 4
    assert (home(stage.site, "web1") / "deploys").read_text() == "3.0\n", "the canary is deployed to once"
    nothing_lost(load)


def test_in_the_browser_a_person_reads_the_canarys_figures_and_agrees(stage: SiteStage, tmp_path: Path) -> None:
    before = versions(stage.site)[-1]
    with Load(stage.site.haproxy.url, tmp_path / "load") as load:
        run = at_the_gate(stage, "3.1")
        with browser(height=1000, graphs=False) as page:
            person = RunPage(page, stage.prefect.url, tmp_path, kind="rolling", asked="Update the other")
            person.open_run(run.id)
            said = person.answer(approve=True, reason="it is fine")
        ended = await_end(stage.api, run)
    assert "3.1 runs on 1 host and stayed healthy for 1 s under load" in said
    assert f"{before} → 3.1" in said
    assert "Update the other 3 hosts?" in said
    assert ended.state
    assert (ended.state.name, versions(stage.site)) == ("Completed", ["3.1"] * 4)
    assert "answered: approve. it is fine" in stage.api.log(run)
    nothing_lost(load)


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


def test_the_question_has_a_narrow_table_and_names_what_was_not_smooth() -> None:
    update = Update.model_validate({"version": "2", "deploy": "true", "canary": 2, "soak": 0, "health": HEALTH})
    rollout = Rollout(
        hosts=("web1", "web2", "web3"),
        access=Access(inventory="hosts.yml"),
        update=update,
        update_id="u",
        batches=(Batch(number=1, hosts=("web1", "web2"), canary=True), Batch(number=2, hosts=("web3",))),
        earlier=(),
    )
    smooth = HostReport(
        host="web1", outcome=UpdateOutcome.UPDATED, before="1", after="2", drain=0.1, deploy=61, health=2, touched=True
    )
    flapping = replace(smooth, host="web2", before="", after="", left=3, found="weight 0", kept=True, reason="it flaps")
    assert gate_question(rollout, [smooth, flapping]) == (
        "**2** runs on 2 hosts:\n\n"
        "| host | version | drain | deploy | health |\n| --- | --- | --- | --- | --- |\n"
        "| web1 | 1 → 2 | 0.1s | 1m01s | 2.0s |\n| web2 |  | 0.1s (3 left) | 1m01s | 2.0s |\n\n"
        "- web2: updated, weight 0 as it was found: it flaps\n\nUpdate the other 1 host? web3"
    )


def test_a_gate_at_which_nobody_could_be_asked_is_refused_before_anything_is_changed() -> None:
    update = Update.model_validate({"version": "2", "deploy": "true", "canary": 1, "health": HEALTH})
    check_gate(NOT_NEEDED, update)
    with pytest.raises(UsageError, match="only a run of a deployment can wait for it"):
        check_gate(Approval(needed=True), update)
    with pytest.raises(UsageError, match="there are no canaries before it"):
        check_gate(Approval(needed=True), update.model_copy(update={"canary": 0}))

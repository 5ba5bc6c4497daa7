"""The arithmetic and the words of tasks, without a server and without hosts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect import Flow
from prefect.utilities.callables import parameter_schema

from remotejobs.model import Handle, Record, State, check_jid
from remotejobs.operations.backup import BackupPlan, CommandItem, job_of
from remotejobs.prefect.flows.backup import backup
from remotejobs.prefect.flows.clean_jobs import clean_jobs
from remotejobs.prefect.flows.examples.fire_and_forget import fire_and_forget
from remotejobs.prefect.flows.examples.side_by_side import side_by_side
from remotejobs.prefect.flows.examples.watched_deploy import watched_deploy
from remotejobs.prefect.flows.examples.with_rollback import with_rollback
from remotejobs.prefect.flows.monitor import monitor
from remotejobs.prefect.flows.report_jobs import report_jobs
from remotejobs.prefect.flows.run_command import run_command
from remotejobs.prefect.tasks.jobs.jids import jid_for
from remotejobs.prefect.tasks.jobs.job import poll_until
from remotejobs.prefect.tasks.jobs.output import Followed
from remotejobs.prefect.tasks.jobs.run_steps import group_size
from remotejobs.prefect.tasks.jobs.until import Until

RUN = 36  # characters of a flow run's id


@given(st.text(), st.text())
def test_any_label_and_item_give_an_allowed_jid(label: str, item: str) -> None:
    check_jid(jid_for(label, item))


@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60)), min_size=2, max_size=2, unique=True))
def test_different_steps_of_one_run_have_different_jids(steps: list[tuple[str, str]]) -> None:
    one, other = (jid_for(label, item)[:-RUN] for label, item in steps)
    assert one != other


@given(st.floats(1, 1e6), st.floats(0.1, 3600))
def test_polling_outlasts_the_time_that_a_job_may_take(seconds: float, delay: float) -> None:
    until = Until.outlasting(seconds, delay=delay)
    assert seconds < until.retries * delay <= seconds + 2 * delay + 1e-6


@given(st.floats(0, 3600))
def test_a_poll_and_the_pause_after_it_make_up_the_delay(delay: float) -> None:
    until = Until(delay=delay)
    pause = poll_until(until).retry_delay_seconds
    assert isinstance(pause, float)
    assert pause >= 0
    assert until.wait + pause == pytest.approx(delay)
    assert 0 <= pause < 1, "the host is waited for but for a part of a second"
    assert until.last_wait <= 5


@given(st.integers(1, 20_000), st.floats(0.1, 3600))
def test_groups_send_at_most_ten_attempts_a_second_however_many_hosts(hosts: int, delay: float) -> None:
    size = group_size(hosts, delay)
    assert 1 <= size <= hosts
    if hosts <= 4:
        assert size == 1
    else:
        groups = math.ceil(hosts / size)
        assert groups / delay <= 10 + 1e-9
        assert groups <= math.ceil(hosts / 100)


@given(st.integers(1, 20_000), st.floats(0.1, 3600), st.integers(2, 100))
def test_nor_do_those_of_all_shards_together_unless_one_group_of_each_is_more(
    hosts: int, delay: float, shards: int
) -> None:
    size = group_size(hosts, delay, shards)
    assert 1 <= size <= hosts
    if hosts * shards <= 4:
        assert size == 1
    else:
        groups = math.ceil(hosts / size)
        assert groups == 1 or groups * shards / delay <= 10 + 1e-9
        assert groups <= math.ceil(hosts / 100)


def test_hosts_with_more_jobs_than_can_be_waited_for_at_once_are_a_group() -> None:
    assert group_size(3, 15, jobs=5) == 1
    assert group_size(3, 15, jobs=6) == 3


FORMS = [run_command, backup, clean_jobs, monitor, report_jobs]
EXAMPLES = [side_by_side, with_rollback, fire_and_forget, watched_deploy]


@pytest.mark.parametrize("flow", [*FORMS, *EXAMPLES])
def test_the_run_form_describes_every_parameter(flow: Flow[..., object]) -> None:
    schema = parameter_schema(flow)
    for name, field in schema.properties.items():
        # A description that is its model's own is left out of the field.
        model = str(field.get("$ref", "")).removeprefix("#/definitions/")
        assert field.get("description") or schema.definitions[model]["description"], name


@pytest.mark.parametrize(
    ("flow", "name", "bound"),
    [
        (run_command, "command", {"minLength": 1}),
        (run_command, "hosts", {"minLength": 1}),
        (run_command, "label", {"minLength": 1}),
        (backup, "poll", {"minimum": 1}),
        (clean_jobs, "hosts", {"minLength": 1}),
        (clean_jobs, "older_than_days", {"minimum": 0}),
        (clean_jobs, "keep", {"minimum": 0}),
    ],
)
def test_the_run_form_accepts_no_nonsense(flow: Flow[..., object], name: str, bound: dict[str, int]) -> None:
    assert form_of(flow)[name].items() >= bound.items()


def form_of(flow: Flow[..., object]) -> dict[str, dict[str, object]]:
    """What a deployment says to the UI about the flow's parameters."""
    return parameter_schema(flow).properties


@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_output_is_shown_once_and_whole_when_it_comes_slowly(parts: list[bytes]) -> None:
    # Letters only, so that what is shown is what was written.
    followed, handle, written, shown = Followed(), Handle(host="h", jid="j"), b"", ""
    for part in parts:
        written += part.hex()[:3000].encode()
        record = Record(host="h", jid="j", state=State.RUNNING, stdout=written, stdout_bytes=len(written))
        shown += followed.fresh(handle, record).removeprefix("stdout:\n")
    assert shown == written.decode()


@given(st.text(min_size=1).filter(lambda text: text.strip() and "\0" not in text and text.isprintable()))
def test_one_plan_gives_one_job_so_that_it_can_be_attached_to(command: str) -> None:
    item = CommandItem(name="thing", hosts="all", command=command)
    plan = BackupPlan(commands=(item,))
    assert job_of(plan, item, host="db1", jid="j") == job_of(plan, item, host="db1", jid="j")

"""The laws of deciding, whatever the hosts do and whenever the controller dies."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from remotejobs.model import State
from remotejobs.operations.migration import (
    HostStep,
    MigrationOutcome,
    MigrationPlan,
    MigrationStep,
    ObservedState,
    Verdict,
    decide,
)
from remotejobs.operations.migration.rollback import ROLLING_BACK
from tests.migration.world import ENDS, HOSTS, World, carry_out, seen

plans = st.builds(
    MigrationPlan,
    hosts=st.integers(1, 3).map(lambda count: HOSTS[:count]),
    steps=st.frozensets(st.sampled_from(list(MigrationStep))).map(lambda steps: steps | {MigrationStep.MIGRATE}),
    one_by_one=st.booleans(),
)
# Most ends are good ones, or nothing would ever get far.
ends = st.one_of(st.just(State.SUCCEEDED), st.just(State.SUCCEEDED), st.sampled_from(ENDS))
fates = st.fixed_dictionaries({HostStep(host, step): ends for host in HOSTS for step in MigrationStep})
survivors = st.dictionaries(st.sampled_from(HOSTS), st.just("17(stuck)"), max_size=1)
kills = st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=8)

# A busy machine is slow at drawing a world; that says nothing of the laws.
no_deadline = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def run(
    plan: MigrationPlan, fate: dict[HostStep, State], alive: dict[str, str], cuts: list[int]
) -> tuple[World, Verdict]:
    world = World(fate, alive)
    return world, carry_out(world, plan, list(cuts))


VERIFIED = MigrationPlan(HOSTS, frozenset({MigrationStep.MIGRATE, MigrationStep.VERIFY}), one_by_one=False)
SICK_ON_DB2 = {HostStep(host, step): State.SUCCEEDED for host in HOSTS for step in MigrationStep}
SICK_ON_DB2[HostStep("db2", MigrationStep.VERIFY)] = State.FAILED
LOST_ON_DB3 = SICK_ON_DB2 | {
    HostStep("db3", MigrationStep.MIGRATE): State.LOST,
    HostStep("db3", MigrationStep.VERIFY): State.FAILED,
}


@no_deadline
@given(plans, fates, survivors, kills)
@example(VERIFIED, SICK_ON_DB2, {}, [2, None])
@example(VERIFIED, LOST_ON_DB3, {}, [2, None, None])
def test_a_controller_that_dies_changes_nothing_about_the_end(
    plan: MigrationPlan, fate: dict[HostStep, State], alive: dict[str, str], cuts: list[int]
) -> None:
    calm, verdict = run(plan, fate, alive, [])
    stormy, same = run(plan, fate, alive, cuts)
    spared = started_on(calm) - started_on(stormy)
    if spared:
        # One host had failed before the others began; with the controller alive they would have started beside it.
        assert MigrationOutcome.COMPLETED not in (verdict.outcome, same.outcome)
    else:
        assert same.outcome is verdict.outcome
        # One host's verify had failed before another's began, which is then not run any more and gives no reason.
        unchecked = calm.jobs.keys() - stormy.jobs.keys()
        assert same == verdict if not unchecked else verdict.outcome is not MigrationOutcome.COMPLETED
        assert {host_step.step for host_step in unchecked} <= {MigrationStep.VERIFY}
        assert stormy.jobs == {host_step: state for host_step, state in calm.jobs.items() if host_step not in unchecked}


def started_on(world: World) -> set[str]:
    return {host_step.host for host_step in world.jobs}


def migrated(world: World) -> set[str]:
    return {host_step.host for host_step in world.jobs if host_step.step is MigrationStep.MIGRATE}


@no_deadline
@given(plans, fates, survivors, kills)
def test_nothing_migrates_after_a_rollback_began(
    plan: MigrationPlan, fate: dict[HostStep, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, _ = run(plan, fate, alive, cuts)
    steps = [step for _, step in world.history]
    back = [at for at, step in enumerate(steps) if step in ROLLING_BACK]
    if back:
        later = steps[back[0] :]
        forward = {MigrationStep.BEFORE, MigrationStep.MIGRATE, MigrationStep.PREPARE_ROLLBACK, MigrationStep.VERIFY}
        assert not forward & set(later)


@no_deadline
@given(plans, fates, survivors, kills)
def test_a_host_is_migrated_only_when_before_has_succeeded_on_all_that_are_migrated_with_it(
    plan: MigrationPlan, fate: dict[HostStep, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, _ = run(plan, fate, alive, cuts)
    if MigrationStep.BEFORE in plan.steps:
        for host in migrated(world):
            beside = next(batch for batch in plan.batches if host in batch)
            assert all(fate[HostStep(each, MigrationStep.BEFORE)] == "succeeded" for each in beside)


@no_deadline
@given(plans, fates, survivors, kills)
def test_a_rollback_begins_only_where_everything_ended_and_is_proven_dead(
    plan: MigrationPlan, fate: dict[HostStep, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, _ = run(plan, fate, alive, cuts)
    for at, (host, step) in enumerate(world.history):
        if step == MigrationStep.ROLLBACK:
            before = world.history[:at]
            assert (host, MigrationStep.MIGRATE) in before
            last = max(index for index, (where, what) in enumerate(before) if where == host and what != "prove")
            assert (host, "prove") in before[last:]
            assert not alive.get(host)
            assert (
                MigrationStep.PREPARE_ROLLBACK not in plan.steps
                or fate[HostStep(host, MigrationStep.PREPARE_ROLLBACK)] == "succeeded"
            )
            assert is_stopped(plan, fate, host)
            assert all((host, at) in before for at in STOPPING if at in plan.steps)


STOPPING = (MigrationStep.STOP, MigrationStep.VERIFY_STOP)


def is_stopped(plan: MigrationPlan, fate: dict[HostStep, State], host: str) -> bool:
    """The check alone says so, where there is one; otherwise stop itself."""
    says = [step for step in STOPPING if step in plan.steps][-1:]
    return all(fate[HostStep(host, step)] == "succeeded" for step in says)


@no_deadline
@given(plans, fates, survivors, kills)
def test_a_lost_step_is_proven_dead_before_it_is_checked(
    plan: MigrationPlan, fate: dict[HostStep, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, _ = run(plan, fate, alive, cuts)
    checks = {
        MigrationStep.VERIFY.value: MigrationStep.MIGRATE,
        MigrationStep.VERIFY_ROLLBACK.value: MigrationStep.ROLLBACK,
    }
    for at, (host, step) in enumerate(world.history):
        if step in checks and fate[HostStep(host, checks[step])] is State.LOST:
            started = world.history.index((host, checks[step]))
            assert (host, "prove") in world.history[started:at]


@no_deadline
@given(plans, fates, survivors, kills)
def test_hosts_are_rolled_back_in_reverse_order(
    plan: MigrationPlan, fate: dict[HostStep, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, _ = run(plan, fate, alive, cuts)
    rolled = [host for host, step in world.history if step == MigrationStep.ROLLBACK]
    assert rolled == sorted(rolled, reverse=True)


@no_deadline
@given(plans, fates, survivors, kills)
def test_one_by_one_a_host_begins_when_those_before_it_are_well(
    plan: MigrationPlan, fate: dict[HostStep, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, _ = run(MigrationPlan(plan.hosts, plan.steps, one_by_one=True), fate, alive, cuts)
    for at, (host, step) in enumerate(world.history):
        if step in (MigrationStep.BEFORE, MigrationStep.MIGRATE):
            for earlier in plan.hosts[: plan.hosts.index(host)]:
                checked = MigrationStep.VERIFY if MigrationStep.VERIFY in plan.steps else MigrationStep.MIGRATE
                assert (earlier, checked) in world.history[:at]
                assert fate[HostStep(earlier, checked)] == "succeeded"


@no_deadline
@given(plans, fates, survivors, kills)
def test_no_outcome_claims_more_than_was_proven(
    plan: MigrationPlan, fate: dict[HostStep, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, verdict = run(plan, fate, alive, cuts)

    def good(host: str, step: MigrationStep, check: MigrationStep) -> bool:
        states = [world.jobs.get(HostStep(host, step)), world.jobs.get(HostStep(host, check))]
        done = states[0] == "succeeded" or (states[0] == "lost" and check in plan.steps)
        return done and (check not in plan.steps or states[1] == "succeeded")

    match verdict.outcome:
        case MigrationOutcome.COMPLETED:
            assert all(good(host, MigrationStep.MIGRATE, MigrationStep.VERIFY) for host in plan.hosts)
            assert MigrationStep.ROLLBACK not in {step for _, step in world.jobs}
        case MigrationOutcome.ROLLED_BACK:
            assert all(good(host, MigrationStep.ROLLBACK, MigrationStep.VERIFY_ROLLBACK) for host in migrated(world))
            assert migrated(world)
        case MigrationOutcome.ROLLBACK_FAILED:
            assert not all(
                good(host, MigrationStep.ROLLBACK, MigrationStep.VERIFY_ROLLBACK) for host in migrated(world)
            )
        case MigrationOutcome.UNKNOWN:
            unready = {host for host in started_on(world) - migrated(world) if alive.get(host)}
            assert State.LOST in world.jobs.values() or unready
        case MigrationOutcome.REFUSED:
            assert not migrated(world)
            assert {state for at, state in world.jobs.items() if at.step is MigrationStep.BEFORE} != {"succeeded"}


@no_deadline
@given(plans, fates, st.sampled_from(HOSTS))
def test_a_silent_host_ends_it_as_unknown_and_nothing_is_rolled_back(
    plan: MigrationPlan, fate: dict[HostStep, State], host: str
) -> None:
    observed = ObservedState(
        steps={host_step: seen(host_step, state) for host_step, state in fate.items() if host_step.step in plan.steps},
        unreachable={host: "timed out"},
    )
    assert decide(plan, observed) == Verdict(MigrationOutcome.UNKNOWN, (f"{host}: timed out",))

"""The laws of deciding, whatever the hosts do and whenever the controller dies."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from remotejobs.model import Record, State
from remotejobs.operations.migration import (
    Outcome,
    Place,
    Plan,
    Prove,
    Run,
    Seen,
    Sight,
    Standing,
    Step,
    Verdict,
    decide,
)

HOSTS = ("db1", "db2", "db3")
ENDS = (State.SUCCEEDED, State.FAILED, State.TIMED_OUT, State.KILLED, State.LOST)
STANDING = {State.SUCCEEDED: Standing.WELL, State.LOST: Standing.LOST, State.RUNNING: Standing.RUNNING}


@dataclass
class World:
    """Hosts on which each step ends as it is fated to; `history` is what was started and proven there, in order."""

    fate: dict[Place, State]
    survivors: dict[str, str] = field(default_factory=dict)
    jobs: dict[Place, State] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)

    def start(self, place: Place) -> None:
        if place not in self.jobs:
            self.jobs[place] = State.RUNNING
            self.history.append(place)

    def end(self, place: Place) -> None:
        self.jobs[place] = self.fate[place]

    def look(self) -> Sight:
        return Sight(steps={place: seen(place, state) for place, state in self.jobs.items()})


def seen(place: Place, state: State) -> Seen:
    return Seen(STANDING.get(state, Standing.BADLY), Record(host=place.host, jid=place.step, state=state))


def carry_out(world: World, plan: Plan, kills: list[int]) -> Verdict:
    """Act until the verdict. A number cuts an action short: so many of its starts, and the controller dies."""
    sight = world.look()
    for _ in range(100):
        action = decide(plan, sight)
        if isinstance(action, Verdict):
            return action
        cut = kills.pop() if kills else None
        sight = perform(world, sight, action, cut)
    raise AssertionError(f"no end after 100 actions: {world.history}")


def perform(world: World, sight: Sight, action: Run | Prove, cut: int | None) -> Sight:
    if isinstance(action, Prove):
        world.history += [(host, "prove") for host in action.hosts]
        proofs = {host: world.survivors.get(host, "") for host in action.hosts}
        return world.look() if cut is not None else sight.updated(Sight(survivors=proofs))
    for place in action.places[: cut if cut is not None else len(action.places)]:
        world.start(place)
    if cut is not None:
        for place in action.places[: cut - 1 if cut else 0]:
            world.end(place)
        return world.look()
    for place in action.places:
        world.end(place)
    return sight.updated(Sight(steps={place: seen(place, world.jobs[place]) for place in action.places}))


plans = st.builds(
    Plan,
    hosts=st.integers(1, 3).map(lambda count: HOSTS[:count]),
    steps=st.frozensets(st.sampled_from(list(Step))).map(lambda steps: steps | {Step.MIGRATE}),
    one_by_one=st.booleans(),
)
# Most ends are good ones, or nothing would ever get far.
ends = st.one_of(st.just(State.SUCCEEDED), st.just(State.SUCCEEDED), st.sampled_from(ENDS))
fates = st.fixed_dictionaries({Place(host, step): ends for host in HOSTS for step in Step})
survivors = st.dictionaries(st.sampled_from(HOSTS), st.just("17(stuck)"), max_size=1)
kills = st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=8)

# A busy machine is slow at drawing a world; that says nothing of the laws.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def run(plan: Plan, fate: dict[Place, State], alive: dict[str, str], cuts: list[int]) -> tuple[World, Verdict]:
    world = World(fate, alive)
    return world, carry_out(world, plan, list(cuts))


VERIFIED = Plan(HOSTS, frozenset({Step.MIGRATE, Step.VERIFY}), one_by_one=False)
SICK_ON_DB2 = {Place(host, step): State.SUCCEEDED for host in HOSTS for step in Step}
SICK_ON_DB2[Place("db2", Step.VERIFY)] = State.FAILED
LOST_ON_DB3 = SICK_ON_DB2 | {Place("db3", Step.MIGRATE): State.LOST, Place("db3", Step.VERIFY): State.FAILED}


@patient
@given(plans, fates, survivors, kills)
@example(VERIFIED, SICK_ON_DB2, {}, [2, None])
@example(VERIFIED, LOST_ON_DB3, {}, [2, None, None])
def test_a_controller_that_dies_changes_nothing_about_the_end(
    plan: Plan, fate: dict[Place, State], alive: dict[str, str], cuts: list[int]
) -> None:
    calm, verdict = run(plan, fate, alive, [])
    stormy, same = run(plan, fate, alive, cuts)
    spared = migrated(calm) - migrated(stormy)
    if spared:
        # One host had failed before the others began; with the controller alive they would have begun beside it.
        assert Outcome.COMPLETED not in (verdict.outcome, same.outcome)
    else:
        assert same.outcome is verdict.outcome
        # One host's verify had failed before another's began, which is then not run any more and gives no reason.
        unchecked = calm.jobs.keys() - stormy.jobs.keys()
        assert same == verdict if not unchecked else verdict.outcome is not Outcome.COMPLETED
        assert {place.step for place in unchecked} <= {Step.VERIFY}
        assert stormy.jobs == {place: state for place, state in calm.jobs.items() if place not in unchecked}


def migrated(world: World) -> set[str]:
    return {place.host for place in world.jobs if place.step is Step.MIGRATE}


@patient
@given(plans, fates, survivors, kills)
def test_nothing_migrates_after_a_rollback_began(
    plan: Plan, fate: dict[Place, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, _ = run(plan, fate, alive, cuts)
    steps = [step for _, step in world.history]
    if Step.ROLLBACK in steps:
        later = steps[steps.index(Step.ROLLBACK) :]
        assert not {Step.MIGRATE, Step.PREPARE_ROLLBACK, Step.VERIFY} & set(later)


@patient
@given(plans, fates, survivors, kills)
def test_a_rollback_begins_only_where_everything_ended_and_is_proven_dead(
    plan: Plan, fate: dict[Place, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, _ = run(plan, fate, alive, cuts)
    for at, (host, step) in enumerate(world.history):
        if step == Step.ROLLBACK:
            before = world.history[:at]
            assert (host, Step.MIGRATE) in before
            last = max(index for index, (where, what) in enumerate(before) if where == host and what != "prove")
            assert (host, "prove") in before[last:]
            assert not alive.get(host)
            assert Step.PREPARE_ROLLBACK not in plan.steps or fate[Place(host, Step.PREPARE_ROLLBACK)] == "succeeded"


@patient
@given(plans, fates, survivors, kills)
def test_a_lost_step_is_proven_dead_before_it_is_checked(
    plan: Plan, fate: dict[Place, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, _ = run(plan, fate, alive, cuts)
    checks = {Step.VERIFY.value: Step.MIGRATE, Step.VERIFY_ROLLBACK.value: Step.ROLLBACK}
    for at, (host, step) in enumerate(world.history):
        if step in checks and fate[Place(host, checks[step])] is State.LOST:
            begun = world.history.index((host, checks[step]))
            assert (host, "prove") in world.history[begun:at]


@patient
@given(plans, fates, survivors, kills)
def test_hosts_are_rolled_back_in_reverse_order(
    plan: Plan, fate: dict[Place, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, _ = run(plan, fate, alive, cuts)
    rolled = [host for host, step in world.history if step == Step.ROLLBACK]
    assert rolled == sorted(rolled, reverse=True)


@patient
@given(plans, fates, survivors, kills)
def test_one_by_one_a_host_begins_when_those_before_it_are_well(
    plan: Plan, fate: dict[Place, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, _ = run(Plan(plan.hosts, plan.steps, one_by_one=True), fate, alive, cuts)
    for at, (host, step) in enumerate(world.history):
        if step == Step.MIGRATE:
            for earlier in plan.hosts[: plan.hosts.index(host)]:
                checked = Step.VERIFY if Step.VERIFY in plan.steps else Step.MIGRATE
                assert (earlier, checked) in world.history[:at]
                assert fate[Place(earlier, checked)] == "succeeded"


@patient
@given(plans, fates, survivors, kills)
def test_no_outcome_claims_more_than_was_proven(
    plan: Plan, fate: dict[Place, State], alive: dict[str, str], cuts: list[int]
) -> None:
    world, verdict = run(plan, fate, alive, cuts)

    def good(host: str, step: Step, check: Step) -> bool:
        states = [world.jobs.get(Place(host, step)), world.jobs.get(Place(host, check))]
        done = states[0] == "succeeded" or (states[0] == "lost" and check in plan.steps)
        return done and (check not in plan.steps or states[1] == "succeeded")

    match verdict.outcome:
        case Outcome.COMPLETED:
            assert all(good(host, Step.MIGRATE, Step.VERIFY) for host in plan.hosts)
            assert Step.ROLLBACK not in {step for _, step in world.jobs}
        case Outcome.ROLLED_BACK:
            assert all(good(host, Step.ROLLBACK, Step.VERIFY_ROLLBACK) for host in migrated(world))
            assert migrated(world)
        case Outcome.ROLLBACK_FAILED:
            assert not all(good(host, Step.ROLLBACK, Step.VERIFY_ROLLBACK) for host in migrated(world))
        case Outcome.UNKNOWN:
            assert State.LOST in world.jobs.values()
        case Outcome.REFUSED:
            raise AssertionError("every step can be started in this world")


@patient
@given(plans, fates, st.sampled_from(HOSTS))
def test_a_silent_host_ends_it_as_unknown_and_nothing_is_rolled_back(
    plan: Plan, fate: dict[Place, State], host: str
) -> None:
    sight = Sight(
        steps={place: seen(place, state) for place, state in fate.items() if place.step in plan.steps},
        unreachable={host: "timed out"},
    )
    assert decide(plan, sight) == Verdict(Outcome.UNKNOWN, (f"{host}: timed out",))


def test_a_migration_that_could_be_started_nowhere_is_refused() -> None:
    plan = Plan(("db1",), frozenset({Step.MIGRATE, Step.ROLLBACK}))
    verdict = decide(plan, Sight({Place("db1", Step.MIGRATE): Seen(Standing.NOT_RUN, reason="disk full")}))
    assert verdict == Verdict(Outcome.REFUSED, ("db1: migrate was not run (disk full)", "migrate ran nowhere"))


def test_both_migrate_and_prepare_rollback_are_awaited_before_judging() -> None:
    plan = Plan(("db1",), frozenset(Step))
    begun = decide(plan, Sight())
    assert begun == Run((Place("db1", Step.MIGRATE), Place("db1", Step.PREPARE_ROLLBACK)))
    failed = Place("db1", Step.MIGRATE), Seen(Standing.BADLY)
    preparing = Place("db1", Step.PREPARE_ROLLBACK), Seen(Standing.RUNNING)
    assert decide(plan, Sight(dict([failed, preparing]))) == Run((Place("db1", Step.PREPARE_ROLLBACK),))


def test_a_verify_that_cannot_be_run_neither_completes_nor_rolls_back() -> None:
    plan = Plan(("db1",), frozenset(Step))
    well = Seen(Standing.WELL)
    steps = {Place("db1", Step.MIGRATE): well, Place("db1", Step.PREPARE_ROLLBACK): well}
    verdict = decide(plan, Sight({**steps, Place("db1", Step.VERIFY): Seen(Standing.NOT_RUN)}))
    assert isinstance(verdict, Verdict)
    assert verdict.outcome is Outcome.UNKNOWN


def test_a_verify_that_was_lost_is_not_run_again_and_nothing_is_rolled_back() -> None:
    plan = Plan(("db1",), frozenset({Step.MIGRATE, Step.VERIFY, Step.ROLLBACK}))
    steps = {
        Place("db1", Step.MIGRATE): seen(Place("db1", Step.MIGRATE), State.SUCCEEDED),
        Place("db1", Step.VERIFY): seen(Place("db1", Step.VERIFY), State.LOST),
    }
    for proven in ({}, {"db1": ""}):
        verdict = decide(plan, Sight(steps=steps, survivors=proven))
        assert isinstance(verdict, Verdict)
        assert verdict == Verdict(Outcome.UNKNOWN, ("db1: nobody knows how it stands: verify lost",))


def test_a_rollback_that_began_is_gone_through_with_though_another_host_could_now_be_started() -> None:
    """db2 had no room to start anything, so db1 is rolled back; meanwhile there is room, and the run is retried."""
    well, rolling = Seen(Standing.WELL), Seen(Standing.RUNNING)
    steps = {Place("db1", Step.MIGRATE): well, Place("db1", Step.ROLLBACK): rolling}
    plan = Plan(("db1", "db2"), frozenset({Step.MIGRATE, Step.ROLLBACK}))
    assert decide(plan, Sight(steps)) == Run((Place("db1", Step.ROLLBACK),))


def test_once_a_host_has_failed_nothing_begins_on_another() -> None:
    plan = Plan(("db1", "db2"), frozenset({Step.MIGRATE, Step.ROLLBACK}))
    assert decide(plan, Sight({Place("db1", Step.MIGRATE): Seen(Standing.BADLY)})) == Prove(("db1",))

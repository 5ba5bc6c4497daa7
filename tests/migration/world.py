"""Simulated hosts for a migration's decisions: each step ends as fated, and the controller may die at any action."""

from __future__ import annotations

from dataclasses import dataclass, field

from remotejobs.model import Record, State
from remotejobs.operations.migration import (
    EnsureDead,
    HostStep,
    MigrationPlan,
    ObservedState,
    ObservedStep,
    RunSteps,
    StepStatus,
    Verdict,
    decide,
)

HOSTS = ("db1", "db2", "db3")


ENDS = (State.SUCCEEDED, State.FAILED, State.TIMED_OUT, State.KILLED, State.LOST)


STANDING = {State.SUCCEEDED: StepStatus.SUCCEEDED, State.LOST: StepStatus.LOST, State.RUNNING: StepStatus.RUNNING}


@dataclass
class World:
    """Hosts on which each step ends as it is fated to; `history` is what was started and proven there, in order."""

    fate: dict[HostStep, State]
    survivors: dict[str, str] = field(default_factory=dict)
    jobs: dict[HostStep, State] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)

    def start(self, host_step: HostStep) -> None:
        if host_step not in self.jobs:
            self.jobs[host_step] = State.RUNNING
            self.history.append(host_step)

    def end(self, host_step: HostStep) -> None:
        self.jobs[host_step] = self.fate[host_step]

    def observe(self) -> ObservedState:
        return ObservedState(steps={host_step: seen(host_step, state) for host_step, state in self.jobs.items()})


def seen(host_step: HostStep, state: State) -> ObservedStep:
    return ObservedStep(
        STANDING.get(state, StepStatus.FAILED), Record(host=host_step.host, jid=host_step.step, state=state)
    )


def carry_out(world: World, plan: MigrationPlan, kills: list[int]) -> Verdict:
    """Act until the verdict. A number cuts an action short: so many of its starts, and the controller dies."""
    observed = world.observe()
    for _ in range(100):
        action = decide(plan, observed)
        if isinstance(action, Verdict):
            return action
        cut = kills.pop() if kills else None
        observed = perform(world, observed, action, cut)
    raise AssertionError(f"no end after 100 actions: {world.history}")


def perform(world: World, observed: ObservedState, action: RunSteps | EnsureDead, cut: int | None) -> ObservedState:
    if isinstance(action, EnsureDead):
        world.history += [(host, "prove") for host in action.hosts]
        proofs = {host: world.survivors.get(host, "") for host in action.hosts}
        return world.observe() if cut is not None else observed.updated(ObservedState(survivors=proofs))
    for host_step in action.host_steps[: cut if cut is not None else len(action.host_steps)]:
        world.start(host_step)
    if cut is not None:
        for host_step in action.host_steps[: cut - 1 if cut else 0]:
            world.end(host_step)
        return world.observe()
    for host_step in action.host_steps:
        world.end(host_step)
    return observed.updated(
        ObservedState(steps={host_step: seen(host_step, world.jobs[host_step]) for host_step in action.host_steps})
    )

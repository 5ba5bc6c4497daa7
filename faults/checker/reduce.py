"""From a plan that fails to one that fails with less: what is left out and does not matter is no part of the fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from faults.checker.plan import EpisodePlan

TRIES = 3  # a race may need some


def reduced(plan: EpisodePlan, fails: Callable[[EpisodePlan], bool], most: int = 60) -> EpisodePlan:
    """The smallest plan found that still `fails`, after at most `most` runs of it."""
    runs = 0

    def still(candidate: EpisodePlan) -> bool:
        nonlocal runs
        for _ in range(TRIES):
            if runs >= most:
                return False
            runs += 1
            if fails(candidate):
                return True
        return False

    smaller = True
    while smaller and runs < most:
        smaller = False
        for candidate in _less(plan):
            if still(candidate):
                plan, smaller = candidate, True
                break
    return plan


def _less(plan: EpisodePlan) -> Iterator[EpisodePlan]:
    """Plans with a part left out, the largest parts first."""
    ops, half = plan.ops, len(plan.ops) // 2
    if half > 1:
        yield replace(plan, ops=ops[:half])
        yield replace(plan, ops=ops[half:])
    if plan.breaks:
        yield replace(plan, breaks=())
    for at in range(len(ops)):
        yield replace(plan, ops=(*ops[:at], *ops[at + 1 :]))
    for at in range(len(plan.breaks)):
        yield replace(plan, breaks=(*plan.breaks[:at], *plan.breaks[at + 1 :]))
    for at, op in enumerate(ops):
        if op.deed:
            yield replace(plan, ops=(*ops[:at], replace(op, deed=None), *ops[at + 1 :]))

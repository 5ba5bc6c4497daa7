"""A steady load on the Prefect server of PREFECT_API_URL: so many flow runs at once, each with polls at a steady rate.

`bench.prefect.limit` raises it until the server falls behind. A run has the tag `resumable`, and every tenth ends as
Crashed: the automations of deployments/resources.yml then start a recovery for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter

from prefect import flow, get_client, tags, task
from prefect.states import Crashed

ATTEMPTS = 10  # of each task of a run
PAUSE = 2.0  # seconds between them
TASKS = 2  # of each run
_CRASHES = 10  # one run in so many


class StillPolling(Exception):
    """As a poll of this project says it."""


def main() -> None:
    """Prints as JSON what was begun and how long it took."""
    parser = argparse.ArgumentParser(prog="python -m bench.prefect.steady", description=__doc__)
    parser.add_argument("--name", required=True, help="of the flow, by which its runs are found")
    parser.add_argument("--runs", type=int, required=True, help="flow runs at once")
    parser.add_argument("--seconds", type=float, required=True, help="for which runs are begun")
    options = parser.parse_args()
    began = time.time()
    counts = asyncio.run(_load(options.name, options.runs, began + options.seconds))
    print(json.dumps({**counts, "seconds": time.time() - began}), flush=True)


async def _load(name: str, runs: int, until: float) -> Counter[str]:
    tries: Counter[tuple[int, int]] = Counter()
    counts = Counter(runs=0, good=0, crashed=0)

    @task(task_run_name="poll {number}", retries=ATTEMPTS - 1, retry_delay_seconds=PAUSE)
    async def poll(run: int, number: int) -> None:
        tries[run, number] += 1
        if tries[run, number] < ATTEMPTS:
            raise StillPolling(f"sleep on host{number}: running, attempt {tries[run, number]} of {ATTEMPTS}")

    @flow(name=name)
    async def steady(run: int) -> None:
        await asyncio.gather(*(poll(run, number) for number in range(TASKS)))

    async def one_after_the_other(first: int) -> None:
        await asyncio.sleep(first * ATTEMPTS * PAUSE / runs)  # so that they neither begin nor end together
        while time.time() < until:
            counts["runs"] += 1
            number = counts["runs"]
            try:
                state = await steady(number, return_state=True)
                counts["good"] += state.is_completed()
                if number % _CRASHES == 0 and state.state_details.flow_run_id:
                    async with get_client() as client:
                        await client.set_flow_run_state(state.state_details.flow_run_id, Crashed(), force=True)
                    counts["crashed"] += 1
            except Exception as exc:  # noqa: BLE001 - whatever a server says that has too much to do
                counts[f"{type(exc).__name__}"] += 1

    with tags("resumable"):
        await asyncio.gather(*(one_after_the_other(number) for number in range(runs)))
    return counts


if __name__ == "__main__":
    main()

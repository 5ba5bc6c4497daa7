"""A flow run that does nothing but poll: so many tasks, each tried so many times; `bench.prefect.server` times it."""

from __future__ import annotations

import argparse
import asyncio
import json
import time

from prefect import flow, task
from prefect.runtime import flow_run

_PAUSE = 0.05  # seconds; with none, Prefect sends the server one event less for each attempt


class StillPolling(Exception):
    """As a poll of this project says it."""


def main() -> None:
    """Prints the run's id and the seconds that it took, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.prefect.polls", description=__doc__)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--attempts", type=int, required=True, help="of each task; the last one succeeds")
    options = parser.parse_args()

    tries: dict[int, int] = {}

    @task(task_run_name="poll {number}", retries=options.attempts - 1, retry_delay_seconds=_PAUSE)
    async def poll(number: int) -> None:
        tries[number] = tries.get(number, 0) + 1
        if tries[number] < options.attempts:
            raise StillPolling(f"sleep on host{number}: running, attempt {tries[number]} of {options.attempts}")

    @flow(name="polls")
    async def polls() -> str:
        await asyncio.gather(*(poll(number) for number in range(options.tasks)))
        return str(flow_run.id)

    async def run() -> str:
        return await polls()

    began = time.time()
    ended = asyncio.run(run())
    print(json.dumps({"run": ended, "began": began, "seconds": time.time() - began}), flush=True)


if __name__ == "__main__":
    main()

#!/bin/sh
# Guess:   whoever watches for runs to be cancelled hears of requests that come while it watches. A run that was cancelled,
#          shows as Cancelled and was then retried has no request any more that anybody could act on.
# Seen:    a new subscriber is first sent the events of the last 15 minutes. Prefect's watcher for cancelled runs, which a worker
#          opens anew for each run that it begins, takes the old request for a new one and does not ask for the run's state:
#          the retry is to be cancelled, although it is Scheduled or Running and nobody asked for that.
# Version: Prefect 3.9.1, Python 3.11.
# Matters: retry a cancelled run within a quarter of an hour, and on a busy worker the process of the retry is ended with
#          SIGTERM and the run is Cancelled once more, "successfully". Usually the old event comes before the process is known.
set -eu
work=$(mktemp -d)
server=
# shellcheck disable=SC2329 # by trap
clean_up() {
    [ -z "$server" ] || kill "$server" 2> /dev/null || true
    wait
    rm -rf "$work"
}
trap clean_up EXIT
cd "$work"
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install prefect==3.9.1

port=$(env/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export PREFECT_HOME="$work/home" PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1
export PREFECT_API_URL="http://127.0.0.1:$port/api" PREFECT_SERVER_API_PORT="$port"
env/bin/prefect server start > server.log 2>&1 &
server=$!

cat > watch.py << 'EOF'
import asyncio
import time

import httpx
import prefect
from prefect import flow, get_client
from prefect._internal.observers import FlowRunCancellingObserver
from prefect.states import AwaitingRetry, Cancelled, Cancelling, Running


@flow
def nothing():
    pass


async def up(client):
    for _ in range(240):
        try:
            return await client.hello()
        except httpx.HTTPError:
            await asyncio.sleep(0.5)
    raise SystemExit("the server did not start")


async def recorded(client, run):
    wanted = {"filter": {"event": {"name": ["prefect.flow-run.Cancelling"]}}}
    for _ in range(120):
        if (await client.request("POST", "/events/filter", json=wanted)).json()["total"]:
            return
        await asyncio.sleep(0.5)
    raise SystemExit("the request was not recorded")


async def main():
    print("Prefect", prefect.__version__)
    heard = []
    async with get_client() as client:
        await up(client)
        run = await client.create_flow_run(nothing, state=Running())
        for state in (Cancelling(), Cancelled(), AwaitingRetry()):
            await client.set_flow_run_state(run.id, state, force=True)
        await recorded(client, run)
        async with FlowRunCancellingObserver(on_cancelling=heard.append, polling_interval=3600) as watcher:
            watcher.add_in_flight_flow_run_id(run.id)
            until = time.monotonic() + 60
            while not heard and time.monotonic() < until:
                await asyncio.sleep(0.5)
        state = (await client.read_flow_run(run.id)).state
    print(f"the run is {state.name}; watched from then on, it is to be cancelled: {heard == [run.id]}")
    raise SystemExit(0 if heard == [run.id] and state.is_scheduled() else "CHANGED: it is not as the header says any more")


asyncio.run(main())
EOF
env/bin/python watch.py

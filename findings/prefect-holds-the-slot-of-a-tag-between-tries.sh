#!/bin/sh
# Guess:   a task that waits for its next try runs nothing, and so takes no slot of a concurrency limit of its tags.
# Seen:    it keeps its slot from the first try to the last, through all retry delays: with a limit of one, a task of the same
#          tag begins only when the other has tried for the last time.
# Version: Prefect 3.9.1, Python 3.11.
# Matters: retries are how tasks poll for hours, and tags are how they are kept off a database. A few that sleep between two
#          polls stop all others of the tag, and it looks as if the database were busy.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3.11 -m venv env
env/bin/pip -qq --disable-pip-version-check install prefect==3.9.1
export PREFECT_HOME="$work/home" PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1 PREFECT_LOGGING_LEVEL=CRITICAL
unset PREFECT_API_URL PREFECT_PROFILE
cat > try.py << 'END'
import threading
from importlib.metadata import version

from prefect import flow, get_client, task
from prefect.testing.utilities import prefect_test_harness

order = []
tried = threading.Event()


@task(tags=["database"], retries=1, retry_delay_seconds=10)
def poll():
    order.append("poll")
    tried.set()
    if len(order) == 1:
        raise RuntimeError("not yet")


@task(tags=["database"])
def other():
    order.append("other")


@flow
def both():
    first = poll.submit()
    tried.wait()
    second = other.submit()
    first.wait()
    second.wait()


print("Prefect", version("prefect"))
with prefect_test_harness(server_startup_timeout=300):
    with get_client(sync_client=True) as client:
        client.create_concurrency_limit(tag="database", concurrency_limit=1)
    both()
print("in this order:", *order)
raise SystemExit(order != ["poll", "poll", "other"])
END
env/bin/python try.py || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}

"""What retries while a server is away: the process of a run, and not a command with a wrong address."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lab.ports import free_ports

ASK = "import tasks; from prefect import get_client; get_client(sync_client=True).hello()"
AGAIN = "Another attempt will be made"


@pytest.mark.parametrize(
    ("process", "retries"),
    [
        pytest.param({"PREFECT__FLOW_RUN_ID": "3f2b0c7e-0000-4000-8000-000000000000"}, True, id="the process of a run"),
        pytest.param({}, False, id="any other"),
    ],
)
def test_a_new_client_asks_again_in_the_process_of_a_run_alone(process: dict[str, str], retries: bool) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    settings = {
        "PREFECT_API_URL": f"http://127.0.0.1:{free_ports(1)[0]}/api",
        "PREFECT_CLIENT_MAX_RETRIES": "1",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK], env={**own, **settings, **process}, capture_output=True, text=True
    )
    assert done.returncode
    assert "ConnectError" in done.stderr
    assert (AGAIN in done.stdout + done.stderr) is retries

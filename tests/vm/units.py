"""The units of deployments/systemd on the machine. For Prefect stands a program that records how it was run."""

from __future__ import annotations

import base64
from pathlib import Path

from remotejobs.agent.shell import Shell
from tests.awaiting import await_there

PROJECT = Path(__file__).resolve().parents[2]
UNITS = sorted((PROJECT / "deployments" / "systemd").iterdir())
SERVER, WORKER = "remotejobs-server.service", "remotejobs-worker@one.service"
SCALED = {"api": "remotejobs-api.service", "services": "remotejobs-services.service"}
SHARDS = "remotejobs-shards@one.service"

# Written to its own home, which also shows that it may; what is below it in the control group ends with it.
STAND_IN = """#!/bin/sh
ran=$PREFECT_HOME/$(basename "$(cat /proc/self/cgroup)")
{ echo "ran $(id -un) $PWD $*"; env; } > "$ran"
touch /tmp/mine
touch /opt/remotejobs/written 2>/dev/null && echo "writes the checkout" >> "$ran"
ls /home/ops > /dev/null 2>&1 && echo "reads homes" >> "$ran"
sleep 7777 &
exec sleep 8888
"""
PREPARING = """#!/bin/sh
echo "$*" > "$PREFECT_HOME/prepared"
"""


def put(shell: Shell, path: str, text: str, mode: str = "644") -> None:
    content = base64.b64encode(text.encode()).decode()
    assert (
        shell.run(f"mkdir -p $(dirname {path}) && echo {content} | base64 -d > {path} && chmod {mode} {path}").rc == 0
    )


def said(shell: Shell, script: str) -> str:
    answer = shell.run(script)
    assert answer.rc == 0, answer
    return answer.output


def install(shell: Shell) -> None:
    """As docs/how-to/deployment.md says it."""
    document = (PROJECT / "docs" / "how-to" / "deployment.md").read_text()
    (user,) = [line.strip() for line in document.splitlines() if line.strip().startswith("useradd ")]
    said(shell, user)
    for unit in UNITS:
        put(shell, f"/etc/systemd/system/{unit.name}", unit.read_text())
    put(shell, "/opt/remotejobs/.venv/bin/prefect", STAND_IN, "755")
    put(shell, "/opt/remotejobs/.venv/bin/python", PREPARING, "755")
    for settings in ("deployments/server.env", "deployments/scaled.env"):
        put(shell, f"/opt/remotejobs/{settings}", (PROJECT / settings).read_text())
    put(shell, "/etc/remotejobs/server.env", "PREFECT_SERVER_API_HOST=192.0.2.1\nDO_NOT_TRACK=2\n")
    put(shell, "/etc/remotejobs/worker.env", "PREFECT_API_URL=http://192.0.2.1:4200/api\n")
    said(shell, "systemctl daemon-reload")
    said(shell, f"systemctl enable --now {SERVER} {WORKER}")
    await_runs(shell, SERVER, WORKER)


def ran(unit: str) -> str:
    """The file in which the stand-in records how this unit ran it."""
    home = {WORKER: "worker-one", SHARDS: "shards-one"}.get(unit, "server")
    return f"/var/lib/remotejobs/{home}/{unit}"


def await_runs(shell: Shell, *units: str) -> None:
    await_there(shell, " && ".join(f"grep -q ^PREFECT_HOME= {ran(unit)}" for unit in units))

"""Part of `make pictures`: the live page of 200 simulated hosts on a bad day."""

from __future__ import annotations

import threading
from pathlib import Path

from lab.screenshots.pictures import IMAGES, browser
from remotejobs.errors import AuthenticationFailed, TimedOut
from remotejobs.inventory import load_inventory
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Job
from remotejobs.operations.flow_runs import FlowRuns
from remotejobs.testing import FakeHosts, Plan
from remotejobs.web.app import Settings
from remotejobs.web.board import Board
from remotejobs.web.live_fleet import LiveFleet
from remotejobs.web.serve import Place, Server, config_of, listening
from remotejobs.web.upkeep import Upkeep

WEB = [f"web{number}" for number in range(1, 171)]
DB = [f"db{number}" for number in range(1, 31)]
HELD = "path /l\nowner 0e9d\nlabel migration of shop\nsince 2026-11-30T02:11:09Z\nanswered"


def a_bad_day(fake: FakeHosts, fleet: Fleet) -> None:
    """Let jobs run, wait, fail and get lost, and hosts go away."""
    fake.says("lk_check", "path /l\nfree\nanswered")
    fake.says("lk_check", HELD, on="db30")
    fake.says("ct_list", "answered")
    fake.plan("vacuumdb", Plan(lasts=None, stdout='vacuuming database "orders"\n'))
    fake.plan(
        "vacuumdb", Plan(rc=1, stderr='vacuumdb: error: could not extend file "base/16401": No space left\n'), on="db3"
    )
    fake.plan(
        "vacuumdb", Plan(rc=1, stderr="vacuumdb: error: connection to server failed: timeout expired\n"), on="db17"
    )
    fake.plan("apt-get", Plan(lasts=None, progress="40 unpacking linux-image"))
    start(fleet, Job(jid="uptime", cmd="uptime", label="uptime"), [*WEB, *DB])
    start(fleet, Job(jid="vacuum", cmd="vacuumdb --all --analyze", label="vacuum"), DB)
    start(fleet, Job(jid="upgrade", cmd="apt-get -y upgrade", label="upgrade", locks=("apt",)), WEB[:12])
    start(fleet, Job(jid="cleanup", cmd="apt-get -y autoremove", label="cleanup", locks=("apt",)), WEB[:2])
    fake.loses("vacuum", on="db9")
    for name in ("web51", "web52", "web53"):
        fake.host(name).unreachable(AuthenticationFailed, "the key was refused: tried id_ed25519")
    fake.host("web90").unreachable(TimedOut, "no answer within 10 s")


def start(fleet: Fleet, job: Job, names: list[str]) -> None:
    assert all(result.value for result in fleet.each(lambda jobs: jobs.start(job), names))


def command(*words: str) -> str:
    return " ".join(["remotejobs", *words])


def take(path: Path, width: int, height: int) -> None:
    fake = FakeHosts(Plan(stdout="up 3 days\n"), real_time=True)
    fleet = Fleet(load_inventory(",".join([*WEB, *DB])).select("all"), connect=fake.connect)
    a_bad_day(fake, fleet)
    live = LiveFleet(fleet, Upkeep(fleet, "/var/backups"), jobs="*", since=86400, poll=5)
    board = Board(live, FlowRuns({}), command)
    with listening(Place(port=0)) as opened, browser(width, height) as page:
        server = Server(board, config_of(board, Settings("all", "cookie"), Place()))
        threading.Thread(target=lambda: server.run(sockets=[opened]), daemon=True).start()
        board.start()
        page.goto(f"http://127.0.0.1:{opened.getsockname()[1]}/")
        page.get_by_text("Needs a person (3)").wait_for(timeout=60_000)
        page.get_by_text("waits for lock apt").first.wait_for(state="attached", timeout=60_000)
        path.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=path)
        board.stop()
        server.should_exit = True


if __name__ == "__main__":
    take(IMAGES / "live-page.png", 1280, 900)

"""Doing something at a certain moment of an update, which is a file that a host wrote or a line of the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from lab.servers.web.site import LabSite
from tests.rolling.site_state import close_gates, home, open_gates


@contextmanager
def when_there(path: Path, act: Callable[[], object]) -> Iterator[None]:
    """Do `act` once, as soon as `path` exists; what it raises fails the test."""
    over = threading.Event()
    failures: list[Exception] = []
    done: list[bool] = []

    def watch() -> None:
        while not over.wait(0.02):
            if path.exists():
                try:
                    act()
                    done.append(True)
                except Exception as exc:  # noqa: BLE001 - raised below, in the test's own thread
                    failures.append(exc)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]
    assert done, f"{path} never came"


@contextmanager
def amid_deployment(site: LabSite, name: str, act: Callable[[], object]) -> Iterator[None]:
    """Do `act` while GATED runs on the host `name`, and let it go on then."""

    def act_and_open() -> None:
        act()
        open_gates(site, name)

    close_gates(site, name)
    with when_there(home(site, name) / "started", act_and_open):
        yield


def reload_amid_deployment(site: LabSite, name: str) -> AbstractContextManager[None]:
    """While GATED runs on the host `name`, HAProxy is loaded anew, with all servers ready, and has it drained again."""

    def reload() -> None:
        site.haproxy.reload(keep_state=False)
        site.haproxy.await_status(name, "DRAIN")

    return amid_deployment(site, name, reload)


@contextmanager
def when_logged(words: str, act: Callable[[], object]) -> Iterator[None]:
    """Do `act` once, when a task run logs a line with `words`."""
    done: list[bool] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if words in record.getMessage() and not done:
                done.append(True)
                act()

    handler, logger = Handler(logging.INFO), logging.getLogger("prefect.task_runs")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    assert done, f"nothing logged {words!r}"

"""A load on the lab's site while something else happens, and what became of each request."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel

from lab.process import LabError, ServerProcess

RATE = 250.0  # requests a second


class LoadReport(BaseModel):
    """`good_kept` went over connections that stay open, `good_new` over one each. `seen` counts by host and version."""

    seconds: float
    good_kept: int
    good_new: int
    repeated: int
    failures: list[str]
    seen: dict[str, int]

    @property
    def requests(self) -> int:
        return self.good_kept + self.good_new + len(self.failures)

    @property
    def rate(self) -> float:
        """Requests a second, as it really was."""
        return self.requests / self.seconds

    def __str__(self) -> str:
        repeated = f", {self.repeated} repeated on a new connection" if self.repeated else ""
        return (
            f"{self.requests} requests in {self.seconds:.1f} s ({self.rate:.0f}/s): {self.good_kept} on open and "
            f"{self.good_new} on new connections answered, {len(self.failures)} failed{repeated}"
        )


class Load:
    """`with Load(url, directory) as load:` asks all the while; `load.report` is there afterwards."""

    def __init__(self, url: str, directory: Path, rate: float = RATE) -> None:
        self._url = url
        self._path = directory / "load.json"
        self._rate = rate
        self._server = ServerProcess("the load", directory / "load.log")
        self._report: LoadReport | None = None

    @property
    def report(self) -> LoadReport:
        if self._report is None:
            raise LabError("the load is not over yet")
        return self._report

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        ready = self._path.with_suffix(".ready")
        for path in (ready, self._path):
            path.unlink(missing_ok=True)
        program = str(Path(__file__).with_name("load_generator.py"))
        self._server.start([sys.executable, "-ESs", program, self._url, str(self._rate), str(self._path)])
        self._server.await_ready(ready.exists)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.end()
        if not self._path.exists():
            raise LabError(f"the load ended without a report. {self._server.last_words()}")
        self._report = LoadReport.model_validate_json(self._path.read_text())

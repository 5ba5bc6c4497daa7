"""A job that stops before a step of its own, to be lost there with its host; and a clock that lies."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from faults.host.processes import end_under
from remotejobs.model import Record

CHANGES = ("mv", "rm", "cp", "mkdir", "sync", "find", "openssl", "age")
"""Programs that change what lies in a directory of backups, or read it to believe in it."""

_STEP = """\
#!/bin/sh
at=$(($(wc -l <"$STEPS" 2>/dev/null || echo 0) + 1))
echo "{name} $*" | tr '\\n' ' ' >>"$STEPS"
echo >>"$STEPS"
case "$at {name} $*" in
$STOP_BEFORE)
    : >"$STEPS.reached"
    exec sleep 3600
    ;;
esac
exec {program} "$@"
"""
_CLOCK = '#!/bin/sh\nexec {program} -d "$(cat {offset} 2>/dev/null)" "$@"\n'


@dataclass(frozen=True)
class Steps:
    """Where each call of `CHANGES` by a job is written down, and where it stops."""

    directory: Path

    def env(self, stop_before: str) -> dict[str, str]:
        """The environment of a job that stops before a call, by its number or its words: `7 *`, `* mv thing-*`."""
        programs = self.directory / "programs"
        if not programs.exists():
            programs.mkdir(parents=True)
            for name in CHANGES:
                _program(programs / name, _STEP.format(name=name, program=shutil.which(name)))
        for left in (self.log, self.reached):
            left.unlink(missing_ok=True)
        return {"PATH": f"{programs}:/usr/bin:/bin", "STEPS": str(self.log), "STOP_BEFORE": stop_before}

    @property
    def log(self) -> Path:
        return self.directory / "steps"

    @property
    def reached(self) -> Path:
        return Path(f"{self.log}.reached")

    @property
    def last(self) -> str:
        """The call before which it stopped."""
        return self.log.read_text().splitlines()[-1]


@dataclass(frozen=True)
class Clock:
    """What `date` says on a host, as far from the truth as it is set."""

    directory: Path

    @property
    def env(self) -> dict[str, str]:
        programs = self.directory / "clock"
        if not programs.exists():
            programs.mkdir(parents=True)
            _program(programs / "date", _CLOCK.format(program=shutil.which("date"), offset=self.offset))
        return {"PATH": f"{programs}:/usr/bin:/bin"}

    @property
    def offset(self) -> Path:
        return self.directory / "offset"

    def set(self, offset: str) -> None:
        """-3 days, now, ..."""
        self.offset.write_text(offset)


def lose(record: Record) -> None:
    """Kill all jobs of a host at once, of which this is one, and what supervises them, as a power cut does."""
    end_under(Path(record.results_dir).parent)


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)

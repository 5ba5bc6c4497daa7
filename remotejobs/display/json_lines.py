"""One JSON object for each host and line, for programs."""

from __future__ import annotations

import json
from typing import TextIO

from remotejobs.display.events import Event
from remotejobs.display.row import message_of, state_of
from remotejobs.jobs.estimate import seconds_left
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record, State
from remotejobs.text import decoded


def json_line(result: HostResult[Record], jid: str) -> str:
    """The record as one line of ASCII. The names are always all there; null is what is not known."""
    if result.value is None:
        return _line(_nothing_known(result, jid))
    return _line(_known(result.value))


def _line(values: dict[str, object]) -> str:
    return json.dumps(values, separators=(", ", ": "))


def _known(record: Record) -> dict[str, object]:
    return {
        "host": record.host,
        "jid": record.jid,
        "state": record.state.value,
        "started": bool(record.start) or record.cause == "damaged",
        "finished": record.finished,
        "rc": record.rc,
        "signal": record.signal,
        "msg": record.msg,
        "cause": record.cause,
        "still_runs": record.still_runs,
        "survivors": record.survivors,
        "proof": record.proof,
        "unseen": record.unseen,
        "processes": record.processes,
        "percent": record.progress.percent if record.progress else None,
        "phase": record.progress.phase if record.progress else "",
        "left": None if (left := seconds_left(record)) is None else round(left, 2),
        "label": record.label,
        "cmd": record.cmd,
        "start": record.start or None,
        "end": record.end or None,
        "delta": record.delta,
        "stdout": decoded(record.stdout),
        "stderr": decoded(record.stderr),
        "stdout_from": record.stdout_from,
        "stderr_from": record.stderr_from,
        "stdout_bytes": record.stdout_bytes,
        "stderr_bytes": record.stderr_bytes,
        "pid": record.pid,
        "results_dir": record.results_dir,
        "become_user": record.become_user,
        "protocol": record.protocol,
        "changed": record.changed,
        "attached": record.attached,
    }


def _nothing_known(result: HostResult[Record], jid: str) -> dict[str, object]:
    names = dict.fromkeys(_known(Record(host="", jid="", state=State.LOST)))
    msg = message_of(result.host, result.error) if result.error else ""
    return names | {"host": result.host, "jid": jid, "state": state_of(result), "msg": msg}


class JsonLines:
    """Prints what came of each host to `stream`, and nothing on the way."""

    first_poll: float | None = None

    def __init__(self, jid: str, stream: TextIO) -> None:
        self._jid = jid
        self._stream = stream

    def show(self, event: Event) -> None:
        """Programs get results only."""

    def ended(self, result: HostResult[Record]) -> None:
        self._stream.write(json_line(result, self._jid) + "\n")
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()

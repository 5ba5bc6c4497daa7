"""What a job's files and processes say, past the product: the lab's hosts are all this machine."""

from __future__ import annotations

from pathlib import Path

from remotejobs.model import Record


def fields_of(place: str | Path, name: str = "job") -> dict[str, str]:
    """One of the files of `key value` lines in a job's directory."""
    lines = Path(place, name).read_text().splitlines()
    return {key: value for key, _, value in (line.partition(" ") for line in lines)}


def supervisor_of(record: Record) -> int:
    """The pid of the shell that waits for the command."""
    return int(fields_of(record.results_dir)["supervisor"].split()[0])


def bearers_of(record: Record) -> list[int]:
    """The pids that carry the job's token in their environment."""
    return bearing(f"REMOTEJOBS_TOKEN={fields_of(record.results_dir)['token']}".encode())


def bearing(words: bytes) -> list[int]:
    """The pids with `words` in their environment, as far as one may look."""
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if words in read(path)]


def read(path: Path) -> bytes:
    """A file of /proc; empty where its process is gone or somebody else's."""
    try:
        return path.read_bytes()
    except OSError:
        return b""

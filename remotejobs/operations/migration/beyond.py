"""What no proof of death covers: work that another process does for a step whose client is dead. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_CLIENTS = {
    r"(?:docker|podman|nerdctl)(?:-compose|[ \t]+compose)?[ \t]+(?:\S+[ \t]+){0,6}?(?:exec|run|start|up)": (
        "the container goes on",
        "docker stop",
    ),
    r"kubectl[ \t]+(?:\S+[ \t]+){0,6}?(?:exec|run|apply|create|rollout)": ("the cluster goes on", "kubectl delete"),
    r"systemd-run|systemctl[ \t]+(?:\S+[ \t]+){0,6}?(?:re)?start": ("the unit goes on", "systemctl stop"),
    r"(?:at|batch)(?=\s)": ("atd runs it later", "atrm"),
    r"tmux|screen": ("its server goes on", "tmux kill-session"),
    r"nsenter|ssh": ("what it began there goes on", ""),
}
_DATABASES = {
    r"mariadb|mysql": ("the server runs its statement to the end, and may commit it", "KILL"),
}
_POSTGRESQL = {
    r"psql": (
        "the server runs its statement to the end, and may commit it",
        "client_connection_check_interval, or pg_terminate_backend; the parameter postgres does both",
    ),
}
_WORD = r"(?:^|[\s;&|(`/])"


def beyond_proof(
    texts: Iterable[str], *, killed: bool, stopped: bool = False, postgres: bool = False
) -> tuple[str, ...]:
    """A line for each client in commands, or in lists of processes, whose work goes on without it.

    `killed`: a step did not end by itself, so that a statement may be under way that its client has left. `stopped`:
    a check has said that no daemon is at work; `postgres`: the server has said that nothing of it is left there. What a
    command calls in turn is not seen: that there is no line proves nothing.
    """
    joined = "\n".join(texts)
    lines = []
    databases = _DATABASES | ({} if postgres else _POSTGRESQL)
    for pattern, (goes_on, remedy) in (({} if stopped else _CLIENTS) | (databases if killed else {})).items():
        if found := re.search(f"{_WORD}({pattern})(?=[\\s;&|)]|$)", joined, re.MULTILINE):
            name = " ".join(found[1].split()[:: max(1, len(found[1].split()) - 1)])
            with_it = f" (to end it: {remedy})" if remedy else ""
            lines.append(f"{name}: {goes_on} when its client is dead{with_it}")
    return tuple(lines)

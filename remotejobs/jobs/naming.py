"""Jids and labels of jobs that were given none."""

from __future__ import annotations

import secrets
import time

from remotejobs.text import one_line

LABEL_LENGTH = 40  # of one that is taken from the command


def new_jid() -> str:
    """Readable, sorted by time, and unique among controllers."""
    return f"run-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"


def label_of(cmd: str) -> str:
    """The beginning of the command, in one line."""
    return one_line(cmd)[:LABEL_LENGTH]

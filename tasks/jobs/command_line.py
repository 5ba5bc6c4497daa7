"""The command line that does for one job what a message speaks of, ready to be copied."""

from __future__ import annotations

import shlex
from typing import Literal

from remotejobs.model import Handle
from remotejobs.prefect.tasks.access import Access

Verb = Literal["status", "log", "kill"]


def command_line(verb: Verb, handle: Handle, access: Access, *options: str) -> str:
    """`remotejobs VERB HOST JID -i INVENTORY`, as the user that the job belongs to."""
    words = ["remotejobs", verb, handle.host, handle.jid, *access.words]
    words += ["--become-user", handle.become_user] if handle.become_user else []
    words += ["--ask-become-pass"] if access.has_become_password else []
    return shlex.join([*words, *options])

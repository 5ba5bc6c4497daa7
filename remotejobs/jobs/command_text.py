"""A shell command as a person writes it in a run form: one that no host could run is refused before anything begins."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from remotejobs.errors import InvalidJob
from remotejobs.model import Job

_NAME = "form"


def _can_be_run(command: str) -> str:
    try:
        if command:
            Job(jid=_NAME, cmd=command)
    except InvalidJob as exc:
        raise ValueError(str(exc).removeprefix(f"job {_NAME}: ")) from exc
    return command


Command = Annotated[str, AfterValidator(_can_be_run)]  # in a parameter; "" is no command

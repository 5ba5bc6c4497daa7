"""When a host is healthy, as a person writes it: what it is asked, and how long it must answer well."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from remotejobs.jobs.command_text import Command
from remotejobs.operations.web import Regex
from remotejobs.worded import URL, Worded

_ONE_WORD = Worded(r"\S*", "one word, HOST:PORT")


class HttpQuestion(BaseModel):
    """What is asked over HTTP, from the controller, and how a healthy host answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, URL] = Field(
        description="What to ask; {host} is the host's name, {any_variable} its inventory variable: "
        "http://{ansible_host}:{app_port}/health",
    )
    status: int = Field(default=200, ge=100, le=599, description="HTTP status of a healthy host.")
    body: Regex = Field(
        default="", description="Regular expression that the body must match somewhere; empty: any body."
    )
    headers: dict[str, str] = Field(
        default_factory=dict,
        description="Headers of the request, with {host} and {any_variable} as in url: Host: shop.example. Nothing "
        "secret: parameters are shown in the UI.",
    )
    server_name: str = Field(
        default="",
        description="With https: the name that the host is asked by (SNI) and that its certificate must be for, with "
        "{host} and {any_variable}; empty: the one in url.",
    )
    ca_file: str = Field(
        default="",
        description="With https: file on the worker with the certificates of the authorities to trust; empty: the "
        "system's.",
    )


class FurtherCheck(BaseModel):
    """One more check that a healthy host passes: exactly one of http, tcp and command."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    http: HttpQuestion | None = Field(default=None, description="Asks over HTTP, from the controller.")
    tcp: Annotated[str, _ONE_WORD] = Field(
        default="",
        description="HOST:PORT that accepts connections from the controller: {ansible_host}:5432",
    )
    command: Command = Field(
        default="",
        description="Shell command, run on the host as the jobs' user, that ends with 0 in time and changes nothing: "
        "systemctl is-active shop-worker",
    )

    @model_validator(mode="after")
    def _is_one(self) -> FurtherCheck:
        if [self.http is not None, bool(self.tcp), bool(self.command)].count(True) != 1:
            raise ValueError("name exactly one of http, tcp and command")
        return self


class Health(HttpQuestion):
    """When a host is healthy: asked over HTTP from the controller, and by further checks; believed when it stays so."""

    version: Regex = Field(
        default="",
        description='Regular expression whose group is the version in the body: "version": "([^"]+)". '
        "With it a host counts as updated only when it says the version wanted.",
    )
    also: tuple[FurtherCheck, ...] = Field(
        default=(), description="Further checks. A host is healthy when it passes all of them at the same time."
    )
    rise: int = Field(default=1, ge=1, description="How many answers in a row must be healthy, as HAProxy's rise.")
    stable_for: float = Field(default=10, ge=0, description="Seconds for which every answer must be healthy.")
    deadline: float = Field(default=300, gt=0, description="Seconds after which a host that is not healthy has failed.")
    interval: float = Field(default=1, gt=0, description="Seconds between two questions.")
    timeout: float = Field(default=5, gt=0, description="Seconds for an answer.")

    @field_validator("version")
    @classmethod
    def _has_a_group(cls, pattern: str) -> str:
        if pattern and not re.compile(pattern).groups:
            raise ValueError(f"{pattern!r} has no group; put the version into (...)")
        return pattern

    @model_validator(mode="after")
    def _can_be_reached(self) -> Health:
        if self.deadline <= self.stable_for:
            raise ValueError(f"deadline must be longer than stable_for, which is {self.stable_for:g} s")
        return self

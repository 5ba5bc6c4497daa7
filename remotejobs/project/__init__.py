"""A new project: what `remotejobs init` writes, so that flows on your hosts run under a Prefect server."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from remotejobs.errors import UsageError

_CHECKOUT = "/opt/remotejobs"  # where the units of the package think that they are
_DEPLOY = ("make deploy", "python -m remotejobs.prefect.deployments")  # in a checkout, and in a project
# Of resources.yml the last automations, from this one on: their deployment is one that a new project does not have.
_BACKUPS = "- name: Notify when no backup succeeded in 26 hours"


def write_project(directory: Path, *, dry_run: bool = False) -> list[Path]:
    """Write a project into `directory`, which is made if need be; returns its files. A dry run only looks.

    Raises `UsageError` when one of them is there already, and then writes none.
    """
    files = {directory / name: text for name, text in _files(directory.resolve())}
    for path in files:
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} is there already, and nothing was written", remedy="Name another directory.")
    if dry_run:
        return list(files)
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x") as file:
                file.write(text)
    except OSError as exc:
        raise UsageError(f"{exc.filename}: {exc.strerror}", remedy="Name a directory that you may write.") from exc
    return list(files)


def _files(directory: Path) -> Iterator[tuple[str, str]]:
    package = resources.files("remotejobs")
    template = package.joinpath("project", "template")
    yield from ((name, text.replace("NAME", _name_of(directory))) for name, text in _texts(template))
    deployments = package.joinpath("prefect", "deployments")
    yield "deployments/server.env", deployments.joinpath("server.env").read_text().replace(*_DEPLOY)
    resources_file = deployments.joinpath("resources.yml").read_text().replace(*_DEPLOY)
    yield "deployments/resources.yml", resources_file.partition(_BACKUPS)[0].rstrip() + "\n"
    for unit in ("remotejobs-server.service", "remotejobs-worker@.service"):
        text = deployments.joinpath("systemd", unit).read_text()
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
        text = text.replace(f"{_CHECKOUT}/.venv", sys.prefix).replace(_CHECKOUT, str(directory)).replace(*_DEPLOY)
        yield f"deployments/systemd/{unit}", text


def _texts(folder: Traversable, below: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _texts(entry, f"{below}{entry.name}/")
        elif not entry.name.endswith(".pyc"):
            yield f"{below}{entry.name}", entry.read_text()


def _name_of(directory: Path) -> str:
    """The project's name, as Prefect allows it in the name of a variable."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in directory.name.lower())
    return kept.strip("-") or "hosts"

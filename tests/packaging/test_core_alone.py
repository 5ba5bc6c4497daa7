"""`pip install remotejobs` brings the command line and the Python API; flows and tasks want `remotejobs[prefect]`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.environments import Environment

IMPORT_ALL = """
import pkgutil, importlib, remotejobs
from remotejobs import Job, RemoteJobs
names = [module.name for module in pkgutil.walk_packages(remotejobs.__path__, "remotejobs.")]
others = ("remotejobs.__main__", "remotejobs.cli.web", "remotejobs.web", "remotejobs.prefect",
          "remotejobs.workarounds.prefect.")
print(len([importlib.import_module(name) for name in names if not name.startswith(others)]))
"""
MIXED = ("__pycache__", "..")  # in site-packages, what no distribution owns


@dataclass(frozen=True)
class Core(Environment):
    """A Python that has what `pip install remotejobs` would give it, taken from where these tests run."""

    distributions: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Core:
    environment = Environment.made(tmp_path_factory.mktemp("core") / "venv")
    environment.install(wheel)
    needed = _needed(environment.metadata("remotejobs"), set())
    for name in needed:
        _share(distribution(name), environment.site)
    return Core(environment.directory, frozenset(needed))


def _needed(of: Distribution, found: set[str]) -> set[str]:
    """The names of all that it requires without any extra of its own, and of what those require."""
    todo: list[tuple[Distribution, frozenset[str]]] = [(of, frozenset())]
    while todo:
        one, extras = todo.pop()
        for requirement in map(Requirement, one.requires or ()):
            wanted = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}
            )
            name = canonicalize_name(requirement.name)
            if wanted and name not in found:
                found.add(name)
                todo.append((distribution(name), frozenset(requirement.extras)))
    return found


def _share(one: Distribution, site: Path) -> None:
    """Link its packages and modules into `site`."""
    assert one.files is not None
    for top in {file.parts[0] for file in one.files if file.parts[0] not in MIXED}:
        place = site / top
        if not place.exists():
            place.symlink_to(Path(str(one.locate_file(top))).resolve())


def test_it_needs_about_twenty_packages_and_nothing_of_prefect(core: Core) -> None:
    assert {"paramiko", "pydantic", "rich"} <= core.distributions
    assert core.distributions.isdisjoint({"prefect", "httpx", "fastapi", "sqlalchemy"})
    assert len(core.distributions) < 25


def test_the_command_line_runs_a_job(core: Core) -> None:
    assert "list" in core.run("remotejobs", "--help")
    inventory = core.directory / "hosts.yml"
    inventory.write_text(
        f"all: {{hosts: {{here: {{ansible_connection: local, remotejobs_dir: {core.directory}/jobs}}}}}}"
    )
    assert "it ran" in core.run("remotejobs", "run", "here", "-i", str(inventory), "--poll", "1", "--", "echo it ran")


def test_the_live_page_says_which_command_brings_what_it_needs(core: Core) -> None:
    said = core.run("remotejobs", "web", "all", "-i", "localhost,", code=1)
    assert said == (
        "error: the live page needs Starlette and uvicorn, which are not installed. "
        "Install them: pip install 'remotejobs[web]'\n"
    )


def test_every_module_of_the_core_is_there_without_prefect(core: Core) -> None:
    assert int(core.python(IMPORT_ALL)) > 100


@pytest.mark.parametrize("name", ["", ".flows.run_command", ".tasks", ".tasks.jobs.job"])
def test_flows_and_tasks_say_which_command_brings_what_they_need(core: Core, name: str) -> None:
    said = core.python(f"import remotejobs.prefect{name}", code=1).strip().splitlines()
    assert said[-1] == (
        "remotejobs.errors.PrefectMissing: flows and tasks need Prefect, which is not installed. "
        "Install it: pip install 'remotejobs[prefect]'"
    )
    assert "ModuleNotFoundError: No module named 'prefect'" in said
    core.python(f"try:\n  import remotejobs.prefect{name}\nexcept ImportError:\n  pass")

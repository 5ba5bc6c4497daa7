"""The page "Your own project", followed with the wheel alone: its flow, its deployment, its tries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from tests.documents import ROOT, program_in
from tests.packaging.environments import Environment

PAGE = "docs/how-to/own-project.md"
ALL = """
from flows.rates import rates
from remotejobs.prefect import Access
rates(Access(inventory="inventories/hosts.yml"), "all", {command!r})
"""


@pytest.fixture
def project(installed: Environment, tmp_path: Path) -> Path:
    """What the page writes; the results of the jobs lie beside the project."""
    project = tmp_path / "rates"
    installed.run("remotejobs", "init", str(project))
    with (project / "inventories" / "hosts.yml").open("a") as hosts:
        hosts.write(f"  vars:\n    remotejobs_dir: {tmp_path}/results\n")
    (project / "flows" / "rates.py").write_text(program_in(PAGE))
    entry = re.search(r"```yaml\n(.*?)```", (ROOT / PAGE).read_text(), re.S)
    assert entry
    declared = (project / "prefect.yaml").read_text()
    (project / "prefect.yaml").write_text(declared.replace("deployments:\n", f"deployments:\n{entry[1]}\n", 1))
    return project


@pytest.fixture
def env(prefect_server: Path) -> dict[str, str]:
    return {"PREFECT_API_URL": PREFECT_API_URL.value() or ""}


def test_its_deployment_is_taken_as_it_stands(installed: Environment, project: Path, env: dict[str, str]) -> None:
    plan = installed.run("python", "-m", "remotejobs.prefect.deployments", "--plan", at=project, env=env)
    assert "+ rates/rates" in plan
    assert "error" not in plan


def test_where_it_fails_it_is_tried_again_and_ends_well_once_that_works(
    installed: Environment, project: Path, env: dict[str, str], tmp_path: Path
) -> None:
    command = f"echo x >>{tmp_path}/tries; [ $(wc -l <{tmp_path}/tries) -ge 2 ]"
    installed.run("python", "-c", ALL.format(command=command), at=project, env=env)
    assert (tmp_path / "tries").read_text() == "x\nx\n"


def test_where_every_try_fails_it_fails_and_names_the_host(
    installed: Environment, project: Path, env: dict[str, str], tmp_path: Path
) -> None:
    command = f"echo x >>{tmp_path}/tries; echo no rates today; exit 3"
    said = installed.run("python", "-c", ALL.format(command=command), at=project, env=env, code=1)
    assert (tmp_path / "tries").read_text() == "x\n" * 3
    assert "rates, try 3 on localhost: failed, rc 3" in said
    assert "no rates today" in said

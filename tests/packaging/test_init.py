"""`remotejobs init` writes a project that runs against the installed package, and overwrites nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prefect.settings import PREFECT_API_URL

from remotejobs.errors import UsageError
from remotejobs.project import write_project
from tests.cli.running import remotejobs
from tests.packaging.environments import Environment


def test_a_new_project_runs_and_can_be_deployed(installed: Environment, tmp_path: Path, prefect_server: Path) -> None:
    project = tmp_path / "nightly jobs"
    said = installed.run("remotejobs", "init", str(project))
    assert f"cd '{project}'" in said
    assert "localhost" in installed.run("remotejobs", "hosts", "all", at=project)
    env = {"PREFECT_API_URL": PREFECT_API_URL.value() or ""}
    with (project / "inventories" / "hosts.yml").open("a") as hosts:
        hosts.write(f"  vars:\n    remotejobs_dir: {tmp_path}/results\n")
    installed.run("python", "flows/disk_space.py", at=project, env=env)
    (output,) = (tmp_path / "results").glob("disk-space*/stdout")
    assert "Filesystem" in output.read_text()
    plan = installed.run("python", "-m", "remotejobs.prefect.deployments", "--plan", at=project, env=env)
    for deployment in ("disk-space/disk-space", "run-command/run-command", "recover/zz-recover"):
        assert f"+ {deployment}" in plan
    assert "error" not in plan


def test_no_file_of_it_names_what_is_in_a_checkout_alone(tmp_path: Path) -> None:
    named = re.compile(r"\bmake (?:deploy|demo|plan|setup|up)\b|/opt/remotejobs|\btasks/\w+\.py|the checkout")
    found = [(path.name, named.findall(path.read_text())) for path in write_project(tmp_path / "mine")]
    assert [each for each in found if each[1]] == []


def test_its_units_and_settings_are_its_own(tmp_path: Path) -> None:
    project = tmp_path / "Backups of Berlin"
    files = write_project(project)
    assert {str(path.relative_to(project)) for path in files} >= {
        "README.md",
        "prefect.yaml",
        "flows/disk_space.py",
        "inventories/hosts.yml",
        "deployments/server.env",
        "deployments/resources.yml",
        "deployments/systemd/remotejobs-worker@.service",
    }
    assert yaml.safe_load((project / "prefect.yaml").read_text())["name"] == "backups-of-berlin"
    for unit in (project / "deployments" / "systemd").iterdir():
        assert f"WorkingDirectory={project}\n" in unit.read_text()
        assert "/opt/remotejobs" not in unit.read_text()


def test_one_that_is_only_tried_names_the_files_and_writes_none(tmp_path: Path) -> None:
    tried = remotejobs("init", str(tmp_path / "mine"), "--dry-run")
    assert (tried.code, tried.out.splitlines()[-1]) == (0, "Nothing was written.")
    assert f"{tmp_path}/mine/prefect.yaml" in tried.out
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("there", ["README.md", "flows/disk_space.py", "deployments/server.env"])
def test_where_one_of_its_files_is_there_none_is_written(there: str, tmp_path: Path) -> None:
    mine = tmp_path / there
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(UsageError, match=f"{there} is there already, and nothing was written"):
        write_project(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
    assert mine.read_text() == "mine"

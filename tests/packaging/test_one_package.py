"""The distribution owns one name, `remotejobs`: no project that has files or packages of other names is in its way."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from tests.packaging.environments import PROJECT, Environment, build, files_in, project_at, unpacked, wheel_of

MINE = "WORD = 'mine'\n"
OWN = "import tasks, flows; print(tasks.WORD, flows.WORD)"
FOLDER = PROJECT / "flows"
FLOWS = [
    ".".join(path.relative_to(FOLDER).with_suffix("").parts)
    for path in sorted(FOLDER.rglob("*.py"))
    if path.stem != "__init__"
]
LAYOUTS = {
    "modules": ("tasks.py", "flows.py"),
    "packages": ("tasks/__init__.py", "flows/__init__.py"),
}


def runs(environment: Environment, project: Path) -> None:
    """The README's program, against the server of these tests."""
    env = {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "PATH": f"{project}/bin:/usr/bin:/bin"}
    environment.run("python", "vacuum.py", at=project, env=env)
    outputs = [path.read_text() for path in sorted(project.glob("jobs-*/vacuum*/stdout"))]
    assert outputs == ["vacuumed\n", "vacuumed\n"]


def test_wheel_and_sdist_hold_one_package_and_the_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    files = files_in(wheel)
    assert {name.partition("/")[0] for name in files} == {"remotejobs"}
    assert {"remotejobs/prefect/tasks/jobs/job.py", "remotejobs/prefect/flows/backup.py"} <= files
    assert "remotejobs/agent/job.sh" in files
    sdist = build(PROJECT, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as packed:
        assert not [member.name for member in packed if member.issym()]
    source = unpacked(sdist, tmp_path / "source")
    assert [path.parent.name for path in source.glob("*/__init__.py")] == ["remotejobs"]
    assert files_in(build(source, "wheel", tmp_path / "again")) == files


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.usefixtures("prefect_server")
def test_a_project_with_tasks_and_flows_of_its_own_works(installed: Environment, layout: str, tmp_path: Path) -> None:
    project = project_at(tmp_path / "project")
    for name in LAYOUTS[layout]:
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(MINE)
    runs(installed, project)
    assert installed.python(OWN, at=project) == "mine mine\n"


@pytest.mark.usefixtures("prefect_server")
def test_folders_without_init_work(installed: Environment, tmp_path: Path) -> None:
    project = project_at(tmp_path / "project")
    for folder in ("tasks", "flows"):
        (project / folder).mkdir()
        (project / folder / "own.py").write_text(MINE)
    runs(installed, project)
    assert installed.python("from tasks import own; from flows import own; print(own.WORD)", at=project) == "mine\n"


@pytest.mark.usefixtures("prefect_server")
def test_another_distribution_with_a_tasks_package_works_before_and_after_uninstalling_ours(
    wheel: Path, tmp_path: Path
) -> None:
    environment = Environment.made(tmp_path / "venv")
    environment.share_all()
    another = {"tasks/__init__.py": MINE, "tasks/jobs/__init__.py": MINE, "flows/__init__.py": MINE}
    environment.install(wheel_of("another", another, tmp_path))
    environment.install(wheel)
    project = project_at(tmp_path / "project")
    runs(environment, project)
    assert environment.python(OWN, at=project) == "mine mine\n"
    environment.uninstall("remotejobs")
    assert environment.python(OWN, at=project) == "mine mine\n"
    assert not (environment.site / "remotejobs").exists()


def test_every_ready_made_flow_is_an_entrypoint_of_the_installed_package(installed: Environment) -> None:
    said = installed.python(
        "import sys, warnings\n"
        "warnings.simplefilter('ignore')\n"  # those with old names warn
        "from prefect.flows import load_flow_from_entrypoint as load\n"
        f"for name in {FLOWS}:\n"
        "    entrypoint = f'remotejobs.prefect.flows.{name}:{name.rpartition(chr(46))[2]}'\n"
        "    flow = load(entrypoint, use_placeholder_flow=False)\n"
        "    print(sys.modules[flow.fn.__module__].__file__)"
    )
    paths = said.splitlines()
    assert len(paths) == len(FLOWS)
    assert all(Path(path).is_relative_to(installed.site) for path in paths)

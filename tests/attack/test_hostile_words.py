"""Inventories and parameters full of tricks: what they say stays data or is refused, and nothing of it runs.

A test is about one place where words may stand, and goes through all tricks there; which one did it, it says.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from remotejobs.connections.become import become_for
from remotejobs.connections.connect import open_connection
from remotejobs.connections.local import LocalConnection
from remotejobs.connections.ssh.resolve import resolve
from remotejobs.errors import HostError, UsageError
from remotejobs.inventory import InventoryError, load_inventory
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Job
from remotejobs.operations.backup import BackupPlan, job_of
from tests.attack.refusing import refused
from tests.ssh.asking import SomeHost

TRICKS = [
    "$(touch {canary})",
    "`touch {canary}`",
    "'; touch {canary}; '",
    '"; touch {canary}; "',
    "x\ntouch {canary}\n",
    "x & touch {canary} &",
    "| touch {canary}",
    "${{IFS}}touch${{IFS}}{canary}",
    "-oProxyCommand=touch {canary}",
    "--rsh=touch {canary}",
    "../../../../{canary}",
    "x\\'; touch {canary} #",
]


@pytest.fixture
def tricks(tmp_path: Path) -> Iterator[str]:
    """One trick after the other; the test fails at the first that is carried out."""

    def each() -> Iterator[str]:
        for trick in TRICKS:
            yield trick.format(canary=tmp_path / "canary")
            assert not (tmp_path / "canary").exists(), f"{trick!r} was carried out"

    return each()


@pytest.fixture(autouse=True)
def nothing_of_it_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOME", str(tmp_path))
    yield
    assert not (tmp_path / "canary").exists()


VARIABLES = [
    "ansible_host", "ansible_user", "ansible_port", "ansible_connection", "ansible_ssh_private_key_file",
    "ansible_timeout", "ansible_ssh_common_args", "ansible_become_user",
]  # fmt: skip


@pytest.mark.parametrize("name", VARIABLES)
def test_a_trick_in_a_variable_of_a_host_runs_nothing(name: str, tricks: Iterator[str]) -> None:
    for trick in tricks:
        variables = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_become": True, name: trick}
        with refused(trick):
            asked(SomeHost("h", variables))


def asked(host: SomeHost) -> object:
    return HostJobs(open_connection(host, retry_for=0), become=become_for(host)).record("j")


def test_a_trick_in_the_directory_of_the_jobs_is_a_directory(tricks: Iterator[str], tmp_path: Path) -> None:
    for trick in tricks:
        here = SomeHost("here", {"ansible_connection": "local", "remotejobs_dir": f"{tmp_path}/jobs/{trick}"})
        with Fleet([here]) as fleet, suppress(HostError):
            record = fleet.jobs("here").start(Job(jid="j", cmd="echo ran"))
            assert fleet.jobs("here").record("j", wait=60).stdout == b"ran\n", trick
            assert record.results_dir.startswith(str(tmp_path)), trick


def test_a_trick_in_every_word_of_a_job_is_data(tricks: Iterator[str], tmp_path: Path) -> None:
    jobs = HostJobs(LocalConnection("here"), directory=str(tmp_path / "jobs"))
    for number, trick in enumerate(tricks):
        jid, line = f"j{number}", " ".join(trick.split("\n"))
        jobs.start(Job(jid=jid, cmd='printf %s "$WORD"', label=line, env={"WORD": trick}))
        assert jobs.record(jid, wait=60).stdout.decode() == trick
        for wrong in (Job(jid="other", cmd="true", chdir=f"/{line}"), Job(jid="other", cmd="true", interpreter=line)):
            with refused(trick):
                jobs.start(wrong)


def test_a_jid_that_is_no_name_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    jobs = HostJobs(LocalConnection("here"), directory=str(tmp_path))
    asks: list[Callable[[str], object]] = [lambda jid: Job(jid=jid, cmd="true"), jobs.record, jobs.kill]
    for jid in ("../x", "a/b", "-rf", "$(id)", "a b", "a\n", "", "x" * 101):
        for ask in asks:
            with refused(jid, UsageError, "is not allowed"):
                ask(jid)


FIELDS = ["database", "server", "user", "passfile"]


@pytest.mark.parametrize("field", FIELDS)
def test_a_trick_in_a_backup_plan_runs_nothing(field: str, tricks: Iterator[str], tmp_path: Path) -> None:
    for trick in tricks:
        item = {"name": "a", "hosts": "all", "database": "d", field: trick}
        _run_backup({"directory": str(tmp_path / "backups"), "databases": [item]}, tmp_path)


@pytest.mark.parametrize("field", ["base", "paths", "exclude"])
def test_a_trick_in_a_plan_of_files_runs_nothing(field: str, tricks: Iterator[str], tmp_path: Path) -> None:
    for trick in tricks:
        item: dict[str, Any] = {"name": "a", "hosts": "all", "paths": ["hosts"], "base": str(tmp_path)}
        item[field] = trick if field == "base" else [trick]
        _run_backup({"directory": str(tmp_path / "backups"), "files": [item]}, tmp_path)


def test_a_trick_in_the_directory_of_backups_runs_nothing(tricks: Iterator[str], tmp_path: Path) -> None:
    item = {"name": "a", "hosts": "all", "paths": ["."], "base": str(tmp_path / "few")}
    for trick in tricks:
        _run_backup({"directory": str(tmp_path / "few" / trick), "files": [item]}, tmp_path)


def _run_backup(data: dict[str, Any], tmp_path: Path) -> None:
    """By a real shell, whether it succeeds or not; a plan may also be refused."""
    (tmp_path / "few").mkdir(exist_ok=True)
    try:
        plan = BackupPlan.model_validate(data | {"min_free_mib": 0})
    except ValidationError:
        return
    job = job_of(plan, plan.items[0], host="h", jid="j")
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "few"), "REMOTEJOBS_JID": "j"}
    subprocess.run(["sh", "-c", job.cmd], capture_output=True, cwd=tmp_path / "few", env=env, timeout=60)


TEMPLATES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ lipsum.__globals__['os'].popen('touch CANARY').read() }}",
    "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ ''|attr('__class__') }}",
    "{{ '{0.__class__.__mro__}'.format('') }}",
    "{{ '%s'|format(lookup.__globals__) }}",
    "{{ lookup.__globals__.os.system('touch CANARY') }}",
    "{{ lookup('pipe', 'touch CANARY') }}",
    "{{ lookup('ansible.builtin.pipe', 'touch CANARY') }}",
    "{{ hostvars['h'].__class__ }}",
    "{{ groups.__class__.__base__ }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
    "{{ [].__reduce_ex__(2) }}",
    "{{ range(10 ** 9) | list }}",
    "{{ groups.clear() }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ ((1).__class__)('1') }}",
    "{{ ['x'] | map('attr', '__class__') | list }}",
    "{{ [lookup] | map(attribute='__globals__') | list }}",
    "{{ {'a': lookup} | dictsort | first }}",
]


def test_no_template_reaches_python(tmp_path: Path) -> None:
    texts = {template: template.replace("CANARY", str(tmp_path / "canary")) for template in TEMPLATES}
    variables = {f"x{number}": text for number, text in enumerate(texts.values())}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"h": variables}}}))
    host = load_inventory(tmp_path / "hosts.yml").hosts["h"]
    for number, template in enumerate(texts):
        with refused(template, InventoryError, "is no good template|cannot be filled in"):
            host.variables[f"x{number}"]
        assert not (tmp_path / "canary").exists(), f"{template} was carried out"


def test_no_yaml_makes_objects(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    for text in ("!!python/object/apply:os.system ['touch CANARY']", "!!python/name:os.system ''"):
        path.write_text(f"all: {{hosts: {{h: {{x: {text.replace('CANARY', str(tmp_path / 'canary'))}}}}}}}")
        with refused(text, InventoryError, "the tag .* is not known|is no"):
            load_inventory(path).hosts["h"].variables["x"]


def test_options_are_no_way_around_the_host_key(tmp_path: Path) -> None:
    """A name that the inventory gives cannot bring options with it."""
    for name in ("-oStrictHostKeyChecking=no", "h -oStrictHostKeyChecking=no", "h\n  StrictHostKeyChecking no"):
        with pytest.raises(UsageError):
            resolve(SomeHost("h", {"ansible_host": name}))

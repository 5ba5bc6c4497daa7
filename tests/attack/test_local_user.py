"""Another user of the same host can neither read nor steer jobs, and sudo gives away no more than was meant."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import guard
from lab.job_files import fields_of
from lab.servers.sshd import SshLab
from lab.users import LabUser
from remotejobs.connections.base import Become, Connection
from remotejobs.connections.connect import open_connection
from remotejobs.errors import BecomeFailed, HostRefused
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from tests.ssh.asking import SomeHost, ask, said

DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "threat-model.md"


@pytest.fixture(scope="module")
def owner() -> Iterator[LabUser]:
    with LabUser.unique("owner") as user:
        yield user


@pytest.fixture(scope="module")
def other() -> Iterator[LabUser]:
    with LabUser.unique("other") as user:
        yield user


@pytest.fixture(scope="module")
def way(owner: LabUser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with SshLab(tmp_path_factory.mktemp("lab"), ["host"], users={"host": owner.name}) as lab:
        variables = {key: value for key, value in lab.variables("host").items() if key != "remotejobs_dir"}
        connection = open_connection(SomeHost("host", variables))
        yield connection
        connection.close()


def as_user(user: LabUser, script: str) -> subprocess.CompletedProcess[str]:
    words = ["setpriv", "--reuid", user.name, "--regid", user.name, "--init-groups", "sh", "-c", script]
    return subprocess.run(words, capture_output=True, text=True, cwd="/")


def test_another_user_reads_nothing_of_a_job(way: Connection, other: LabUser) -> None:
    jobs = HostJobs(way)
    record = jobs.start(Job(jid="read", cmd="echo s3cret-output; sleep 600", env={"DB_PASSWORD": "s3cret-env"}))
    try:
        place = Path(record.results_dir)
        read = as_user(other, f"cat {place}/* {place.parent}/*; ls {place} {place.parent}; cat /proc/*/environ")
        assert "s3cret" not in read.stdout
        assert as_user(other, f"find {place.parent} -mindepth 1").stdout == ""
        assert "s3cret" not in as_user(other, "ps -eo args").stdout
    finally:
        jobs.kill("read", grace=0)


def test_another_user_ends_wakes_and_fakes_nothing(way: Connection, other: LabUser) -> None:
    jobs = HostJobs(way)
    record = jobs.start(Job(jid="steer", cmd="sleep 600"))
    place = record.results_dir
    attempts = [
        f"kill -9 {record.pid}",
        f"ln {place}/cmd {place}/ending",
        f"echo x >{place}/events",
        f"printf 'state succeeded\\nend\\n' >{place}/result",
        f"rm -rf {place}",
        f"mv {place} {place}.old",
    ]
    for attempt in attempts:
        assert as_user(other, attempt).returncode != 0, attempt
    assert jobs.record("steer").state is State.RUNNING
    assert jobs.kill("steer", grace=0).state is State.KILLED


def test_a_process_with_a_stolen_token_harms_only_itself(way: Connection, other: LabUser) -> None:
    """The token is in the environment of the job's processes; were it known, carrying it would only get one killed."""
    jobs = HostJobs(way)
    record = jobs.start(Job(jid="token", cmd="sleep 600"))
    token = fields_of(record.results_dir)["token"]
    words = ["setpriv", "--reuid", other.name, "--regid", other.name, "--init-groups", "sleep", "600"]
    with subprocess.Popen(words, env={**os.environ, "REMOTEJOBS_TOKEN": token}) as stranger:
        ended = jobs.kill("token", grace=0)
        assert ended.state is State.KILLED
        assert stranger.poll() is None  # the owner may not even read its environment
        stranger.kill()


def test_a_directory_prepared_by_another_user_is_refused(way: Connection, other: LabUser, tmp_path: Path) -> None:
    shared = Path(tempfile.gettempdir()) / f"rjlab-shared-{os.getpid()}"  # where everybody may go
    shared.mkdir(mode=0o777)
    shared.chmod(0o1777)
    try:
        assert as_user(other, f"mkdir -m 777 {shared}/base").returncode == 0
        with pytest.raises(HostRefused, match="belongs to another user"):
            HostJobs(way, directory=f"{shared}/base").start(Job(jid="j", cmd="true"))
    finally:
        subprocess.run(["rm", "-rf", str(shared)], check=True)


def sudoers(controller: str, target: str) -> str:
    """The rule in the documentation, for these two users."""
    text = DOCUMENT.read_text().partition("```sudoers\n")[2].partition("```")[0]
    return text.replace("remotejobs", controller).replace("postgres", target)


def test_the_documented_sudoers_rule_is_enough_and_gives_no_other_user(
    way: Connection, owner: LabUser, other: LabUser, tmp_path: Path
) -> None:
    rule = Path("/etc/sudoers.d") / f"{owner.name}-least"
    text = sudoers(owner.name, other.name)
    assert text.count(owner.name) >= 1
    checked = subprocess.run(["visudo", "-c", "-f", "-"], input=text, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    guard.enter("file", rule)
    rule.write_text(text)
    rule.chmod(0o440)
    try:
        jobs = HostJobs(way, become=Become(other.name))
        jobs.start(Job(jid="least", cmd="id -un"))
        assert jobs.record("least", wait=60).stdout.decode().strip() == other.name
        assert said(ask(way, "id -un", become=Become(other.name))).strip() == other.name
        for user in ("root", "nobody"):
            with pytest.raises(BecomeFailed):
                ask(way, "id -un", become=Become(user))
        direct = as_user(owner, f"sudo -n -u {other.name} cat /etc/hostname")
        assert direct.returncode != 0
    finally:
        rule.unlink()

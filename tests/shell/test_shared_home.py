"""Hosts that share a home: a record is of the host that runs its job, and the others say so and touch nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from shlex import quote

import pytest

from faults.host.namespace import Namespace, namespace
from faults.host.processes import end_under
from faults.network.transports import ProgramConnection
from lab.job_files import fields_of
from remotejobs.errors import OtherHost
from remotejobs.jobs.client import HostJobs
from remotejobs.model import Job, State
from tests.awaiting import await_true
from tests.shell.shells import SHELLS, await_output, shell_path

BOOT = "/proc/sys/kernel/random/boot_id"


class HomeHost:
    """A container-like host with a name, a machine-id and, if it is no container, a boot id of its own.

    `born` is when its first process was, in hundredths of a second since the kernel began.
    """

    def __init__(
        self,
        stack: ExitStack,
        home: Path,
        shell: str,
        name: str,
        number: int,
        *,
        boots: bool = False,
        born: int | None = None,
    ) -> None:
        self.name = name
        mine = home.parent / f"{name}-{number}-{len(list(home.parent.iterdir()))}"
        mine.mkdir()
        (mine / "machine-id").write_text(f"{number:032x}\n")
        (mine / "boot_id").write_text(f"{number:08x}-0000-0000-0000-000000000000\n")
        mounts = [f"mount --bind {quote(str(mine / 'machine-id'))} /etc/machine-id"]
        mounts += [f"mount --bind {quote(str(mine / 'boot_id'))} {BOOT}"] if boots else []
        self.space: Namespace = stack.enter_context(namespace(" && ".join([f"hostname {name}", *mounts])))
        if born is not None:
            (mine / "stat").write_text(f"1 (init) S 0 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 {born} 0 0\n")
            self.space.run(f"mount --bind {quote(str(mine / 'stat'))} /proc/1/stat")
        path = shell_path(mine / "bin", shell)
        self.jobs = HostJobs(ProgramConnection(*self.space.front, env={"PATH": path}), directory=str(home))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "home").mkdir(mode=0o700)
    yield tmp_path / "home"
    end_under(tmp_path / "home")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def long(tmp_path: Path) -> Job:
    return Job(jid="j", cmd=f"echo ran >>{quote(str(tmp_path / 'ran'))}; echo started; sleep 600", grace=0)


def assert_refused(host: HomeHost, job: Job, owner: str) -> None:
    asks: tuple[Callable[[], object], ...] = (
        lambda: host.jobs.start(job),
        lambda: host.jobs.record("j"),
        lambda: host.jobs.record("j", wait=60),
        lambda: host.jobs.kill("j"),
    )
    for ask in asks:
        with pytest.raises(
            OtherHost, match=f"belongs to the host {owner} .* and this is the host {host.name} "
        ) as reported:
            ask()
        assert "remotejobs_dir" in reported.value.remedy
    assert host.jobs.list() == ()
    assert host.jobs.clean(older_than=-1) == ()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_job_is_started_seen_and_ended_by_its_own_host_alone(
    stack: ExitStack, home: Path, tmp_path: Path, shell: str
) -> None:
    job = long(tmp_path)
    web1, web2 = (
        HomeHost(stack, home, shell, "web1", 1, boots=True),
        HomeHost(stack, home, shell, "web2", 2, boots=True),
    )
    web1.jobs.start(job)
    await_output(web1.jobs, "j")
    assert_refused(web2, job, "web1")
    assert web1.jobs.record("j").state is State.RUNNING
    assert web1.jobs.kill("j").state is State.KILLED
    assert_refused(web2, job, "web1")  # its end is not ours either
    assert len(web1.jobs.clean(older_than=-1)) == 1
    assert web2.jobs.start(job).attached is False
    await_output(web2.jobs, "j")
    assert (tmp_path / "ran").read_text() == "ran\nran\n"
    web2.jobs.kill("j")


def uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


def test_two_containers_of_one_machine_with_one_name_and_one_machine_id_are_two(
    stack: ExitStack, home: Path, tmp_path: Path
) -> None:
    job = long(tmp_path)
    one, made = HomeHost(stack, home, "dash", "web", 1), uptime()
    # Births are distinguished by hundredths of a second.
    await_true(lambda: uptime() > made)
    two = HomeHost(stack, home, "dash", "web", 1)
    one.jobs.start(job)
    await_output(one.jobs, "j")
    assert_refused(two, job, "web")
    assert one.jobs.kill("j").state is State.KILLED


def test_a_host_with_another_boot_id_and_the_same_name_and_machine_id_was_rebooted(
    stack: ExitStack, home: Path, tmp_path: Path
) -> None:
    before = HomeHost(stack, home, "dash", "web1", 1, boots=True)
    before.jobs.start(long(tmp_path))
    await_output(before.jobs, "j")
    after = HomeHost(stack, home, "dash", "web1", 1)
    assert (after.jobs.record("j").state, after.jobs.record("j").cause) == (State.LOST, "rebooted")


def test_a_host_that_is_given_another_name_still_knows_its_jobs(stack: ExitStack, home: Path, tmp_path: Path) -> None:
    web = HomeHost(stack, home, "dash", "web1", 1, born=3)
    web.jobs.start(long(tmp_path))
    await_output(web.jobs, "j")
    web.space.run("hostname web1.example.org")
    assert web.jobs.record("j").state is State.RUNNING
    web.space.run("hostname www")
    assert web.jobs.kill("j").state is State.KILLED
    assert web.jobs.record("j").state is State.KILLED


def test_a_container_that_is_given_another_name_knows_the_jobs_that_run(
    stack: ExitStack, home: Path, tmp_path: Path
) -> None:
    web = HomeHost(stack, home, "dash", "web1", 1)
    web.jobs.start(long(tmp_path))
    await_output(web.jobs, "j")
    web.space.run("hostname www")
    assert web.jobs.kill("j").state is State.KILLED


@pytest.mark.parametrize("ended", [False, True])
def test_containers_born_in_the_same_hundredth_of_a_second_are_distinguished_by_their_names(
    stack: ExitStack, home: Path, tmp_path: Path, ended: bool
) -> None:
    job = long(tmp_path)
    web1, web2 = (HomeHost(stack, home, "dash", name, 1, born=123_456) for name in ("web1", "web2"))
    web1.jobs.start(job)
    await_output(web1.jobs, "j")
    if ended:
        assert web1.jobs.kill("j").state is State.KILLED
    assert_refused(web2, job, "web1")
    web1.jobs.kill("j")


def test_a_process_of_another_container_with_the_number_and_birth_of_its_supervisor_is_not_taken_for_it(
    stack: ExitStack, home: Path, tmp_path: Path
) -> None:
    job = long(tmp_path)
    web1, web2 = (HomeHost(stack, home, "dash", name, 1, born=123_456) for name in ("web1", "web2"))
    gate = Path(web1.jobs.start(job).results_dir) / "job"
    await_output(web1.jobs, "j")
    other = web2.jobs.start(Job(jid="other", cmd="sleep 600", grace=0)).results_dir
    alike = gate.read_text().replace(fields_of(gate.parent)["supervisor"], fields_of(other)["supervisor"], 1)
    gate.write_text(alike)
    with pytest.raises(OtherHost, match="belongs to the host web1 .* and this is the host web2 "):
        web2.jobs.record("j")
    web2.jobs.kill("other")


def test_a_container_that_has_all_but_its_name_from_its_machine_is_another_host(
    stack: ExitStack, home: Path, tmp_path: Path
) -> None:
    web = HomeHost(stack, home, "dash", "web1", 1)
    web.jobs.start(long(tmp_path))
    await_output(web.jobs, "j")
    words = (*web.space.front, "unshare", "--uts", "sh", "-c", 'hostname web2; exec "$@"', "in-it")
    inside = HostJobs(ProgramConnection(*words), directory=str(home))
    with pytest.raises(OtherHost, match="belongs to the host web1 .* and this is the host web2 "):
        inside.kill("j")
    web.jobs.kill("j")


def test_a_record_of_before_hosts_were_recorded_is_ours(stack: ExitStack, home: Path, tmp_path: Path) -> None:
    web = HomeHost(stack, home, "dash", "web1", 1)
    record = web.jobs.start(long(tmp_path))
    gate = Path(record.results_dir) / "job"
    gate.write_text("".join(line for line in gate.open() if not line.startswith("host ")))
    assert web.jobs.kill("j").state is State.KILLED


def test_the_lines_for_a_lock_are_of_each_host_and_no_clean_takes_anothers(
    stack: ExitStack, home: Path, tmp_path: Path
) -> None:
    web1, web2 = (
        HomeHost(stack, home, "dash", "web1", 1, boots=True),
        HomeHost(stack, home, "dash", "web2", 2, boots=True),
    )
    jobs = {jid: Job(jid=jid, cmd="echo started; sleep 600", locks=("apt",), grace=0) for jid in ("a", "b", "c")}
    assert web1.jobs.start(jobs["a"]).state is State.RUNNING
    assert web1.jobs.start(jobs["b"]).state is State.QUEUED
    assert web2.jobs.start(jobs["c"]).state is State.RUNNING
    with pytest.raises(OtherHost):
        web2.jobs.start(jobs["b"])
    web2.jobs.clean(older_than=-1)
    assert web1.jobs.record("b").msg == "waits for lock apt, held by a; number 1 in line"
    assert web1.jobs.record("b").state is State.QUEUED
    for host, jid in ((web1, "b"), (web1, "a"), (web2, "c")):
        assert host.jobs.kill(jid).state is State.KILLED


def test_the_record_says_which_host_it_is_of(stack: ExitStack, home: Path, tmp_path: Path) -> None:
    web = HomeHost(stack, home, "dash", "web1", 1)
    record = web.jobs.start(long(tmp_path))
    machine, world, name = fields_of(record.results_dir)["host"].split()
    assert (machine, name) == (f"{1:032x}", "web1")
    assert world == web.space.run("cat /proc/1/stat").rpartition(")")[2].split()[19]
    web.jobs.kill("j")

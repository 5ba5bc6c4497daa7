"""Faults of the way in: the SSH server restarted again and again, and a crowd at its door."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

from faults.network.connections import again_and_again, seen_to_its_end
from faults.network.transports import connection_to, jobs_at
from faults.oracle import Oracle, short
from faults.trial import Trial, Try, lost
from lab.servers.sshd import SshLab
from remotejobs.errors import Unreachable

AT_ONCE = 10
CROWD = 100


def restarted(trial: Trial) -> Iterator[Try]:
    """sshd dies with all its connections and comes back, while jobs start and run."""
    with SshLab(trial.directory / "lab", ["host"]) as lab, ThreadPoolExecutor(AT_ONCE) as threads:
        connection = connection_to(lab, "host")
        jobs = jobs_at(connection, trial.directory / "jobs")
        witnesses = [short(trial.directory, f"job{n}", trial.chance) for n in range(trial.tries)]

        def restart() -> None:
            lab.stop_host("host")
            lab.start_host("host")

        with again_and_again(restart, trial.chance, 1.0):
            yield from threads.map(lambda oracle: oracle.judge(seen_to_its_end(jobs, oracle)), witnesses)
        connection.close()


def burst(trial: Trial) -> Iterator[Try]:
    """A hundred connections at the same moment to an sshd that drops them early (MaxStartups 10:30:60)."""
    with (
        SshLab(trial.directory / "lab", ["host"], max_startups="10:30:60") as lab,
        ThreadPoolExecutor(CROWD) as threads,
    ):
        for begin in range(0, trial.tries, CROWD):
            numbers = range(begin, min(begin + CROWD, trial.tries))
            # Drawn here, one after the other: threads would draw in any order.
            crowd = [short(trial.directory, f"job{n}", trial.chance) for n in numbers]
            one = partial(_one_of_many, trial, lab, Barrier(len(crowd)))
            yield from threads.map(one, crowd)


def _one_of_many(trial: Trial, lab: SshLab, together: Barrier, oracle: Oracle) -> Try:
    connection = connection_to(lab, "host")
    together.wait()
    try:
        return oracle.judge(seen_to_its_end(jobs_at(connection, trial.directory / "jobs"), oracle))
    except Unreachable as exc:
        return lost(f"{oracle.job.jid}: a false failure: {exc}")
    finally:
        connection.close()

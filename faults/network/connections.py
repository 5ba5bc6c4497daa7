"""Faults of the network: jobs on a real sshd behind a wire that cuts, swallows, delays and resets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from random import Random
from unittest.mock import patch

from faults.network.transports import connection_to, jobs_at
from faults.network.wire import BadWire
from faults.oracle import Oracle, short
from faults.trial import SURVIVED, Trial, Try, lost
from lab.servers.sshd import SshLab
from remotejobs.errors import Unreachable
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.wait import retry_while_unreachable, wait_until_ended
from remotejobs.model import Record

AT_ONCE = 10
CONTACT_TIMEOUT = 60.0  # seconds: no fault here lasts as long
SHORT_CONTACT_TIMEOUT = 1.0


class Network:
    """One host behind one wire."""

    def __init__(self, trial: Trial, lab: SshLab, wire: BadWire) -> None:
        self.trial = trial
        self.wire = wire
        self.lab = lab
        self._seed = trial.chance.random()

    def chance(self, number: int) -> Random:
        return Random(f"{self._seed} {number}")

    def short(self, number: int, *, longest: float = 0.3) -> Oracle:
        return short(self.trial.directory, f"job{number}", self.chance(number), longest=longest)

    @contextmanager
    def jobs(self, *, straight: bool = False, retry_for: float = 30.0, connect_timeout: int = 10) -> Iterator[HostJobs]:
        """The host's jobs over a connection of their own: through the wire, or past it."""
        wire = None if straight else self.wire
        connection = connection_to(self.lab, "host", wire=wire, retry_for=retry_for, connect_timeout=connect_timeout)
        try:
            yield jobs_at(connection, self.trial.directory / "jobs")
        finally:
            connection.close()


@contextmanager
def network(trial: Trial, *, answer_within: float = 10.0) -> Iterator[Network]:
    """The deadline of a single answer, one minute in earnest, is `answer_within` seconds, so that many can be tried."""
    with (
        SshLab(trial.directory / "lab", ["host"]) as lab,
        BadWire(lab.host("host").port, Random(trial.chance.random())) as wire,
        patch("remotejobs.jobs.client.EXCHANGE_TIMEOUT", answer_within),
    ):
        yield Network(trial, lab, wire)


def seen_to_its_end(jobs: HostJobs, oracle: Oracle) -> Record:
    """What a caller does with a long contact timeout: start, which may be repeated, and wait."""
    retry_while_unreachable(lambda: jobs.start(oracle.job), contact_timeout=CONTACT_TIMEOUT)
    return wait_until_ended(jobs, oracle.job.jid, poll=2, contact_timeout=CONTACT_TIMEOUT)


def _judged(jobs: HostJobs, oracle: Oracle) -> Try:
    try:
        return oracle.judge(seen_to_its_end(jobs, oracle))
    except Unreachable as exc:
        return lost(f"{oracle.job.jid}: a false failure: {exc}")


def cut(trial: Trial) -> Iterator[Try]:
    """Every connection is cut again and again, at random moments, while the jobs start and run."""
    with (
        network(trial) as net,
        ThreadPoolExecutor(AT_ONCE) as threads,
        net.jobs() as jobs,
        again_and_again(net.wire.cut, trial.chance, 1.0),
    ):
        yield from threads.map(lambda n: _judged(jobs, net.short(n)), range(trial.tries))


def half_open(trial: Trial) -> Iterator[Try]:
    """The network forgets the connection while a job is started or waited for; neither end is notified."""
    with network(trial, answer_within=1.5) as net, ThreadPoolExecutor(AT_ONCE) as threads:

        def one(number: int) -> Try:
            with net.jobs(connect_timeout=2) as jobs:  # a login that is forgotten is to be noticed soon, too
                return _judged(jobs, net.short(number, longest=2.0))

        with again_and_again(net.wire.lose, trial.chance, 2.0):
            yield from threads.map(one, range(trial.tries))
        if not net.wire.lost:
            yield lost("no connection was ever half-open")


def delayed(trial: Trial, late: float = 2.0) -> Iterator[Try]:
    """Everything is `late` seconds late, there and back together, each connection being a new one."""
    with network(trial, answer_within=60.0) as net, ThreadPoolExecutor(AT_ONCE) as threads:
        net.wire.delay = late / 2

        def one(number: int) -> Try:
            with net.jobs() as jobs:
                return _judged(jobs, net.short(number))

        yield from threads.map(one, range(trial.tries))


def resets(trial: Trial) -> Iterator[Try]:
    """One connection in ten is reset, and every question has a connection of its own."""
    with network(trial) as net, ThreadPoolExecutor(AT_ONCE) as threads:
        net.wire.resets = 0.1

        def one(number: int) -> Try:
            oracle = net.short(number)
            try:
                with net.jobs() as jobs:
                    retry_while_unreachable(lambda: jobs.start(oracle.job), contact_timeout=CONTACT_TIMEOUT)
                with net.jobs() as jobs:
                    return oracle.judge(wait_until_ended(jobs, oracle.job.jid, contact_timeout=CONTACT_TIMEOUT))
            except Unreachable as exc:
                return lost(f"{oracle.job.jid}: a false failure: {exc}")

        yield from threads.map(one, range(trial.tries))


def cut_in_an_answer(trial: Trial) -> Iterator[Try]:
    """The connection is cut at a random byte of the answer that brings the output."""
    with network(trial) as net, net.jobs() as jobs:
        for number in range(trial.tries):
            chance, oracle = net.chance(number), _wordy(net.short(number, longest=0.0))
            retry_while_unreachable(lambda w=oracle: jobs.start(w.job), contact_timeout=CONTACT_TIMEOUT)  # type: ignore[misc]
            wait_until_ended(jobs, oracle.job.jid, contact_timeout=CONTACT_TIMEOUT)
            net.wire.cut_within(chance.randrange(len(oracle.stdout)))
            try:
                record = retry_while_unreachable(partial(jobs.record, oracle.job.jid), contact_timeout=CONTACT_TIMEOUT)
                yield lost("nothing was cut") if net.wire.is_to_cut else oracle.judge(record)
            except Unreachable as exc:
                yield lost(f"{oracle.job.jid}: a false failure: {exc}")


def _wordy(oracle: Oracle) -> Oracle:
    """The same with some 50 KB of output in front."""
    noise = b"x" * 79 + b"\n"
    cmd = f"yes {noise.decode().strip()} | head -n 640; {oracle.job.cmd}"
    return replace(oracle, job=replace(oracle.job, cmd=cmd), stdout=noise * 640 + oracle.stdout)


def gone_for_good(trial: Trial) -> Iterator[Try]:
    """Nothing comes through any more: after the deadline that is said, and the job is there when the network is."""
    with network(trial, answer_within=0.5) as net, net.jobs(straight=True) as straight:
        for number in range(trial.tries):
            oracle = net.short(number)
            with net.jobs(retry_for=0.3, connect_timeout=1) as jobs, ExitStack() as mended:
                jobs.start(oracle.job)
                mended.callback(net.wire.resume)
                _stop(net, net.chance(number), mended)
                reported = _silence(jobs, oracle)
            yield reported if reported is not SURVIVED else oracle.judge(wait_until_ended(straight, oracle.job.jid))


def _stop(net: Network, chance: Random, mended: ExitStack) -> None:
    """Swallow everything, or close every connection and each new one."""
    if chance.random() < 0.5:
        net.wire.stall()
    else:
        net.wire.refuse(10**6)
        mended.callback(net.wire.refuse, 0)
        net.wire.cut()


def _silence(jobs: HostJobs, oracle: Oracle) -> Try:
    try:
        record = wait_until_ended(jobs, oracle.job.jid, poll=1, contact_timeout=SHORT_CONTACT_TIMEOUT)
    except Unreachable as exc:
        clear = exc.host == "host" and exc.message.startswith("host: ") and exc.remedy
        return SURVIVED if clear else lost(f"an unclear error: {exc!r}")
    return lost(f"{oracle.job.jid}: {record.state} was reported though nothing came through")


@contextmanager
def again_and_again(act: Callable[[], None], chance: Random, longest: float) -> Iterator[None]:
    """`act` at random moments in the background until the block ends."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(chance.uniform(longest / 10, longest)):
            act()

    acting = threading.Thread(target=repeat)
    acting.start()
    try:
        yield
    finally:
        over.set()
        acting.join()

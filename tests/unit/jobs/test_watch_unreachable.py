"""That a host is reachable again is reported at once, while its jobs run on."""

from __future__ import annotations

from remotejobs.errors import Unreachable
from remotejobs.jobs.client import HostJobs
from remotejobs.jobs.watch import JobWatch
from remotejobs.model import Job
from remotejobs.testing import FakeHosts, Plan


def test_a_host_that_is_heard_again_is_told_before_anything_ends_there() -> None:
    # It ends within the shortest wait of a look, which would see nothing but the end.
    fake = FakeHosts(Plan(lasts=3))
    jobs = HostJobs(fake.host("h"))
    jobs.start(Job(jid="j", cmd="work"))
    fake.host("h").unreachable()
    news = JobWatch({"h": ["j"]}, lambda _: jobs).news(30)
    assert isinstance(next(news).error, Unreachable)
    fake.host("h").reachable()
    told = [item.record.state for item in news if item.record]
    assert told == ["running", "succeeded"]

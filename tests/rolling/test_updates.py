"""Whole updates, under a load of 250 requests a second: what people see of them, and what their users notice."""

from __future__ import annotations

import pytest

from lab.load import Load
from lab.site import WEB, Site
from tests.rolling.conftest import update

pytestmark = pytest.mark.slow


def test_a_good_update_loses_no_request_and_updates_every_host(site: Site, load: Load) -> None:
    with load:
        ended = update(site, "2.0")
    assert ended.name == "Completed"
    assert load.report.failures == []
    assert ended.column("outcome") == ["updated"] * 4
    assert ended.column("version before") == ["1.0"] * 4
    assert ended.column("version after") == ["2.0"] * 4
    assert ended.column("batch") == ["1", "2", "3", "4"]
    assert [site.haproxy.status(name) for name in WEB] == ["UP"] * 4
    print(load.report, load.report.seen)
    print(ended.table)

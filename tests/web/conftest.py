"""Simulated hosts for the live page."""

from __future__ import annotations

import pytest

from remotejobs.testing import FakeHosts


@pytest.fixture
def real_time() -> FakeHosts:
    """Simulated hosts whose clock is ours, with neither locks of migrations nor backups."""
    fake = FakeHosts(real_time=True)
    fake.says("lk_check", "path /l\nfree\nanswered")
    fake.says("ct_list", "answered")
    return fake

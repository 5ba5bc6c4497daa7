"""A private name that is gone, or not used any more, is reported: to set it all the same would change nothing.

What belongs to Prefect's server is given by name, and imported by the tests themselves: every process of a test run
would load the server, which takes seconds.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from functools import partial
from typing import Any

import paramiko.config
import pytest
from paramiko import Channel, SFTPClient, Transport
from paramiko.buffered_pipe import BufferedPipe
from paramiko.packet import Packetizer
from prefect import flow_engine
from prefect._internal.compatibility import async_dispatch
from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient
from prefect.flow_engine import FlowRunEngine
from prefect.runner._cancellation_manager import CancellationManager
from prefect.utilities import urls
from rich.console import Console

from remotejobs.workarounds.paramiko import (
    exec_request,
    idle_transport,
    packets,
    read_ahead,
    wake_on_input,
    without_invoke,
)
from remotejobs.workarounds.prefect.broken_pipe import survive_broken_pipe
from remotejobs.workarounds.prefect.dispatch import or_awaited
from remotejobs.workarounds.prefect.first_connection import retry_first_connection
from remotejobs.workarounds.prefect.heartbeat_thread import end_without_heartbeat_thread
from remotejobs.workarounds.prefect.run_page import page_of
from remotejobs.workarounds.prefect.stale_cancel import RUNNERS_WORDS
from remotejobs.workarounds.private import PrivatePartGone

Apply = Callable[[], object]
REGISTRATION = "prefect.server.models.block_registration"
REPOSSESSOR = "prefect.server.services.repossessor"


def again(module: Any) -> Apply:
    return partial(importlib.reload, module)


def register_block_types() -> None:
    from remotejobs.workarounds.prefect import block_types

    block_types.register_block_types()


def load_file_leases() -> None:
    from remotejobs.workarounds.prefect import file_leases

    importlib.reload(file_leases)


def found(owner: object) -> object:
    return pkgutil.resolve_name(owner) if isinstance(owner, str) else owner


@pytest.mark.parametrize(
    ("apply", "library", "owner", "name"),
    [
        (again(without_invoke), "paramiko", paramiko.config, "invoke"),
        (again(read_ahead), "paramiko", SFTPClient, "_async_request"),
        (again(read_ahead), "paramiko", SFTPClient, "_convert_status"),
        (again(exec_request), "paramiko", Transport, "_send_user_message"),
        (again(wake_on_input), "paramiko", BufferedPipe, "set_event"),
        (again(idle_transport), "paramiko", Transport, "_active_check_timeout"),
        (survive_broken_pipe, "rich", Console, "on_broken_pipe"),
        (end_without_heartbeat_thread, "prefect", flow_engine, "_send_heartbeats"),
        (register_block_types, "prefect", REGISTRATION, "run_block_auto_registration"),
        (partial(page_of, "a-run"), "prefect", urls, "url_for"),
        (partial(or_awaited, asyncio.sleep), "prefect", async_dispatch, "async_dispatch"),
    ],
)
def test_a_name_that_is_gone_is_said(
    apply: Apply, library: str, owner: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(found(owner), name)
    with pytest.raises(PrivatePartGone, match=rf"^{library} [\d.]+: \S+ has no {name} any more\. Install the versions"):
        apply()


@pytest.mark.parametrize(
    ("apply", "owner", "user", "name"),
    [
        (again(read_ahead), SFTPClient, "_read_response", "_async_response"),
        (again(exec_request), Channel, "exec_command", "remote_chanid, _send_user_message"),
        (again(wake_on_input), Channel, "fileno", "in_buffer, in_stderr_buffer, set_event"),
        (again(packets), Packetizer, "read_message", "read_all"),
        (again(packets), Packetizer, "send_message", "write_all"),
        (again(idle_transport), Transport, "close", "stop_thread, sock"),
        (end_without_heartbeat_thread, FlowRunEngine, "run_context", "_send_heartbeats"),
        (load_file_leases, REPOSSESSOR, "monitor_expired_leases", "read_expired_lease_ids"),
        (retry_first_connection, PrefectHttpxAsyncClient, "send", "_has_connected"),
        (retry_first_connection, PrefectHttpxSyncClient, "send", "_has_connected"),
    ],
)
def test_a_name_that_nobody_uses_any_more_is_said(
    apply: Apply, owner: object, user: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another() -> None:
        """What a later version may do in its place."""

    monkeypatch.setattr(found(owner), user, another)
    with pytest.raises(PrivatePartGone, match=f"another uses no {name} any more"):
        apply()


def test_prefects_runner_says_of_a_cancelled_run_what_it_is_known_by() -> None:
    assert RUNNERS_WORDS in inspect.getsource(CancellationManager)

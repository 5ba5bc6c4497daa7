"""A port of the lab is reserved from the moment it is taken, also before and between the lives of its server."""

from __future__ import annotations

import gc
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lab.ports import Port, free_ports, listening_sockets
from lab.process import LabError
from lab.servers.redis import Redis


def test_a_client_that_connects_before_its_server_listens_is_refused() -> None:
    port = Port()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port.number))


def test_nobody_gets_it_as_a_free_one_or_by_its_number() -> None:
    port = Port()
    others = free_ports(200)
    assert len({port.number, *others}) == 201
    with pytest.raises(OSError, match="in use"):
        Port(port.number)
    with socket.socket() as greedy, pytest.raises(OSError, match="in use"):
        greedy.bind(("127.0.0.1", port.number))


def test_of_two_that_want_a_certain_one_the_first_gets_it_and_the_second_once_it_is_given_back() -> None:
    number = free_one()
    first = Port(number)
    with pytest.raises(OSError, match="in use"):
        Port(number)
    del first
    gc.collect()
    assert Port(number).number == number


def test_one_on_which_somebody_listens_is_not_given() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server, pytest.raises(OSError, match="in use"):
        Port(server.server_port)


def test_one_that_served_a_moment_ago_can_be_taken() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        number = server.server_port
        with socket.create_connection(("127.0.0.1", number)) as client:
            accepted, _ = server.socket.accept()
            accepted.close()  # first, so that this side has to wait for stragglers
            assert client.recv(1) == b""
    assert Port(number).number == number


def test_its_server_can_listen_there_and_is_distinguished_from_others(tmp_path: Path) -> None:
    with Redis(tmp_path / "one") as one, Redis(tmp_path / "two") as two:
        assert listening_sockets(one.port) != set() != listening_sockets(two.port)
        assert (one._server.listens_on(one.port), two._server.listens_on(one.port)) == (True, False)


def test_a_server_whose_port_is_taken_after_all_is_not_mistaken_for_the_other(tmp_path: Path) -> None:
    redis = Redis(tmp_path)
    with HTTPServer(("127.0.0.1", redis.port), BaseHTTPRequestHandler), pytest.raises(LabError, match="ended before"):
        redis.__enter__()


def free_one() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number

"""One HTTP question: whatever comes back is an answer, in bounded time, and the answer of the host that was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from remotejobs.operations.web import LONGEST, HttpResponse, fetch

SOON = 0.3  # seconds; far less than what a server of these tests would take


@contextmanager
def server(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """Its address; `speak` gets each connection once its request has come, and hears by an error that it was ended."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    with link, suppress(OSError):
                        link.recv(65536)
                        speak(link)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def says(*parts: bytes) -> Callable[[socket.socket], None]:
    def speak(link: socket.socket) -> None:
        for part in parts:
            link.sendall(part)

    return speak


def redirects(there: str) -> Callable[[socket.socket], None]:
    return says(f"HTTP/1.1 302 Found\r\nLocation: {there}\r\n\r\n".encode())


def trickles(first: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """Every part in time, and no end to them."""

    def speak(link: socket.socket) -> None:
        link.sendall(first)
        pause = threading.Event()
        while not pause.wait(SOON / 10):
            link.sendall(drop)

    return speak


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"."),
        (b"HTTP/1.1 500 Sorry\r\nContent-Length: 60000\r\n\r\n", b"."),
        (b"HTTP/1.1 200 OK\r\nX: ", b"."),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "body of an error", "head", "promises"],
)
def test_an_answer_that_never_ends_is_given_up_when_its_time_is_over(first: bytes, drop: bytes) -> None:
    with server(trickles(first, drop)) as url:
        assert "timed out" in fetch(url, timeout=SOON).error


@pytest.mark.parametrize("said", [b"", b"\0\xff\n" * 400, b"HTTP/1.1 9", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200])
def test_what_is_no_answer_is_an_error_in_words(said: bytes) -> None:
    with server(says(said)) as url:
        assert fetch(url, timeout=5).error


def test_of_a_huge_body_the_beginning_is_kept() -> None:
    with server(says(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4 * LONGEST)) as url:
        assert fetch(url, timeout=5) == HttpResponse(status=200, body="x" * LONGEST)


def test_a_redirect_on_the_same_host_is_followed() -> None:
    with server(says(b"HTTP/1.1 200 OK\r\n\r\nhere")) as there, server(redirects(there)) as url:
        assert fetch(url, timeout=5) == HttpResponse(status=200, body="here")


def test_a_redirect_to_another_host_is_not_followed_for_it_would_answer_in_its_place() -> None:
    with server(says(b"HTTP/1.1 200 OK\r\n\r\nI am well")) as there:
        other = there.replace("127.0.0.1", "localhost")
        with server(redirects(other)) as url:
            assert fetch(url, timeout=5) == HttpResponse(status=302, body=f"redirected to {other}")


def test_a_redirect_to_itself_ends() -> None:
    with server(says(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n")) as url:
        assert fetch(url, timeout=5).status == 302

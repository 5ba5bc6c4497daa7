"""One HTTP question from the controller. What goes wrong is part of the answer: a health check expects it."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cache
from io import BufferedReader, RawIOBase
from typing import IO, TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LONGEST = 64 * 1024  # bytes of a body that are read


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as exc:
        raise ValueError(f"{pattern!r} is no regular expression: {exc}") from exc
    return pattern


Regex = Annotated[str, AfterValidator(_compiles)]  # in a parameter: what a body is searched for


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """`error` says in words why there is no answer; `status` is 0 then. `body` is cut, at 64 KiB by default."""

    status: int = 0
    body: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a server is known over https.

    `server_name` is the name that it is asked by and that its certificate must be for, "" for that of the URL;
    `ca_file` has the certificates of the authorities to trust, "" for the system's. `verify` False takes any
    certificate.
    """

    server_name: str = ""
    ca_file: str = ""
    verify: bool = True


_BY_THE_URL = Tls()


def accepts(address: str, *, timeout: float) -> str:
    """Why HOST:PORT accepts no connection within `timeout` seconds; "" when it does."""
    host, _, port = address.rpartition(":")
    if not (host and port.isascii() and port.isdigit()):
        return "it is not HOST:PORT"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=timeout):
            return ""
    except (OSError, ValueError, OverflowError) as exc:
        return str(exc) or type(exc).__name__


def fetch(
    url: str,
    *,
    method: str = "GET",
    timeout: float = 5,
    headers: Mapping[str, str] | None = None,
    tls: Tls = _BY_THE_URL,
    content: bytes | None = None,
    longest: int = LONGEST,
) -> HttpResponse:
    """Ask `url`, following redirects on the same host; any other host would answer in its place.

    `timeout` is seconds to connect, and again for all of the answer, of whose body `longest` bytes are read. Never
    raises for what comes back, or does not.
    """
    try:
        request = urllib.request.Request(url, content, dict(headers or {}), method=method)  # noqa: S310 - settings allow http and https alone
        try:
            response = _opener(tls).open(request, timeout=timeout)
        except urllib.error.HTTPError as exc:
            response = exc  # an answer too
        with response:
            body = _text(response.read(longest))
            return HttpResponse(status=response.status, body=body or _whereto(response.headers))
    except urllib.error.URLError as exc:
        return HttpResponse(error=str(exc.reason))
    except (OSError, http.client.HTTPException, ValueError) as exc:
        return HttpResponse(error=str(exc) or type(exc).__name__)


def _whereto(headers: Message) -> str:
    return f"redirected to {headers['Location']}" if headers["Location"] else ""


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


class _DeadlineReader(RawIOBase):
    """What comes in on a socket until its time is over. Time for each step alone would allow a byte a second."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._stream = sock.makefile("rb", buffering=0)
        self._until = time.monotonic() + (sock.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        plain, self.fp = self.fp, BufferedReader(_DeadlineReader(sock))
        plain.close()


class _Http(urllib.request.HTTPHandler):
    class _HttpConnection(http.client.HTTPConnection):
        response_class = _Response

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._HttpConnection, req)


class _NamedContext(ssl.SSLContext):
    """Asks for `server_name`, and checks the certificate for it, whatever the URL says."""

    server_name: str

    def wrap_socket(self, *args: Any, **others: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*args, **{**others, "server_hostname": self.server_name})


class _Https(urllib.request.HTTPSHandler):
    class _HttpsConnection(http.client.HTTPSConnection):
        response_class = _Response

    def __init__(self, tls: Tls) -> None:
        super().__init__()
        self._tls_context = _context(tls)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._HttpsConnection, req, context=self._tls_context)


def _context(tls: Tls) -> ssl.SSLContext:
    if not tls.verify:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    if not tls.server_name:
        return ssl.create_default_context(cafile=tls.ca_file or None)
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = tls.server_name
    if tls.ca_file:
        context.load_verify_locations(tls.ca_file)
    else:
        context.load_default_certs()
    return context


class _OnTheSameHost(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        there = urlsplit(newurl)
        if there.scheme not in ("http", "https") or there.hostname != urlsplit(req.full_url).hostname:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


@cache
def _opener(tls: Tls) -> urllib.request.OpenerDirector:
    # Proxies of the environment are for the way out; hosts and balancers are asked directly.
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), _Http, _Https(tls), _OnTheSameHost)

"""OpenSSH's certificates: which key, signed by which authority, for which names, and how long."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

from paramiko import Message, PKey, SSHException
from paramiko.pkey import UnknownKeyType

from remotejobs.connections.ssh.host_keys.known_hosts import HostKey

SUFFIX = "-cert-v01@openssh.com"
# Fields of the key itself, between the nonce and the serial number.
_FIELDS = {"ssh-rsa": 2, "ssh-dss": 4, "ssh-ed25519": 1, "sk-ssh-ed25519@openssh.com": 2}
_CURVE_FIELDS = 2
_HOST = 2


class NotValid(Exception):
    """Why a certificate does not count."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """`key` is the plain key that it is for, `signed` the bytes under the `signature`. Times are seconds since 1970."""

    key: HostKey
    blob: bytes
    is_host: bool
    identity: str
    principals: tuple[str, ...]
    after: int
    before: int
    critical: bytes
    authority: HostKey
    signed: bytes
    signature: bytes

    def check_time(self) -> None:
        """`NotValid` when it is over or has not started."""
        now = time.time()
        if now >= self.before:
            raise NotValid(f"expired on {_day(self.before)}")
        if now < self.after:
            raise NotValid(f"is not valid before {_day(self.after)}")

    def check_host(self, name: str, algorithms: Sequence[str]) -> None:
        """`NotValid` unless it makes its key that of the host `name`. Whether the authority is trusted is not asked."""
        if not self.is_host:
            raise NotValid("is for users and not for hosts")
        self.check_time()
        if name not in self.principals:
            raise NotValid(f"is for {', '.join(self.principals) or 'no host at all'}")
        if self.critical:
            raise NotValid("has conditions that are not known here")
        kind = _CertificateFields(self.signature).text()
        if kind not in algorithms:
            raise NotValid(f"is signed by {kind}, which CASignatureAlgorithms leaves out")
        try:
            authority = PKey.from_type_string(self.authority.kind, self.authority.blob)
            good = authority.verify_ssh_sig(self.signed, Message(self.signature))
        except (UnknownKeyType, SSHException, ValueError) as exc:
            raise NotValid(f"is signed by a key that cannot be used here ({self.authority.kind})") from exc
        if not good:
            raise NotValid("is not signed by the key that it names")


def parse_certificate(blob: bytes) -> Certificate | None:
    """Read a certificate as it travels; None when it is none, `ValueError` when it is damaged."""
    fields = _CertificateFields(blob)
    kind = fields.text()
    if not kind.endswith(SUFFIX):
        return None
    plain = kind.removesuffix(SUFFIX) + ("@openssh.com" if kind.startswith("sk-") else "")
    fields.string()
    count = _FIELDS.get(plain, _CURVE_FIELDS + plain.startswith("sk-"))
    key = b"".join(_string(part) for part in (plain.encode(), *(fields.string() for _ in range(count))))
    fields.number(8)
    kind_of, identity = fields.number(4), fields.text()
    principals = _CertificateFields(fields.string())
    names = tuple(iter(principals.text_or_end, ""))
    after, before, critical = fields.number(8), fields.number(8), fields.string()
    fields.string()
    fields.string()
    authority = fields.string()
    signed = blob[: fields.at]
    signature = fields.string()
    return Certificate(
        key=HostKey(plain, key),
        blob=blob,
        is_host=kind_of == _HOST,
        identity=identity,
        principals=names,
        after=after,
        before=before,
        critical=critical,
        authority=HostKey(_CertificateFields(authority).text(), authority),
        signed=signed,
        signature=signature,
    )


class _CertificateFields:
    """The fields of a message, one after the other; `ValueError` where they end too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def string(self) -> bytes:
        length = self.number(4)
        if self.at + length > len(self._data):
            raise ValueError("the certificate ends too early")
        self.at += length
        return self._data[self.at - length : self.at]

    def number(self, size: int) -> int:
        if self.at + size > len(self._data):
            raise ValueError("the certificate ends too early")
        self.at += size
        return int.from_bytes(self._data[self.at - size : self.at], "big")

    def text(self) -> str:
        return self.string().decode("utf-8", "replace")

    def text_or_end(self) -> str:
        return self.text() if self.at < len(self._data) else ""


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _day(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "a day beyond the calendar"

"""The algorithms of both sides: what the other offers, and ours by one name more and without much ado.

Seen with paramiko 5.1.0. Where the two sides have nothing in common it raises an error that names neither list; and it
knows curve25519 by the name that it had before RFC 8731 alone. It copies each of its lists whenever one is looked at,
and hands words to a log that nobody reads.

Upstream: https://github.com/paramiko/paramiko/pull/2222 (open) for the name; no report of the lists was found. The
public way would be the lists as attributes of `IncompatiblePeer`, and that name in paramiko's own table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from paramiko import Message, Transport
from paramiko.kex_curve25519 import KexCurve25519

from remotejobs.workarounds.private import require

require("paramiko", Transport, "_kex_info", "_really_parse_kex_init", "_filter_algorithm", "_log", "_parse_debug")
require("paramiko", Transport._parse_kex_init, "_really_parse_kex_init")  # type: ignore[attr-defined]

RFC_NAME = "curve25519-sha256"
_KEYS = {
    "kex_algo_list": "KexAlgorithms",
    "server_key_algo_list": "HostKeyAlgorithms",
    "client_encrypt_algo_list": "Ciphers",
    "client_mac_algo_list": "MACs",
}


class OpenTransport(Transport):
    """A transport that keeps what the other side offered."""

    _kex_info: ClassVar[dict[str, Any]] = {**Transport._kex_info, RFC_NAME: KexCurve25519}  # type: ignore[attr-defined]

    offered: Mapping[str, tuple[str, ...]] = {}

    def _filter_algorithm(self, kind: str) -> tuple[str, ...]:
        """None is disabled here."""
        return tuple(getattr(self, f"_preferred_{kind}"))

    def _log(self, level: int, message: Any, *words: Any) -> None:
        if self.logger.isEnabledFor(level):
            super()._log(level, message, *words)  # type: ignore[misc]

    def _parse_debug(self, _message: Message) -> None:
        """It would be for that log."""

    def _really_parse_kex_init(self, m: Message, ignore_first_byte: bool = False) -> dict[str, Any]:
        parsed: dict[str, Any] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        if not ignore_first_byte:  # otherwise it is our own list that is read again
            self.offered = {name: tuple(filter(_is_algorithm, parsed[key])) for key, name in _KEYS.items()}
        return parsed


def _is_algorithm(name: str) -> bool:
    """Not so the signs in the first list that announce an extension."""
    return not name.startswith(("ext-info-", "kex-strict-"))

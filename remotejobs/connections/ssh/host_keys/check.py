"""Whether a server's key is the one that is known for it."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from remotejobs.connections.ssh.config.tokens import expand
from remotejobs.connections.ssh.endpoint import SSH_PORT, Endpoint, HostKeyPolicy
from remotejobs.connections.ssh.host_keys.known_hosts import HostKey, KnownKey, append, find, find_each, parse
from remotejobs.connections.ssh.host_keys.revoked import is_revoked
from remotejobs.connections.ssh.login.certificates import Certificate, NotValid
from remotejobs.connections.ssh.transport.algorithms import chosen
from remotejobs.errors import HostKeyChanged, HostKeyUnknown

AUTHORITIES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the known_hosts files and KnownHostsCommand say of an endpoint, in their order.

    `without_port` is what they say of the same host on port 22: OpenSSH trusts a key on any port of a host that it
    knows by that key, and does not mind another one there.
    """

    entries: tuple[KnownKey, ...]
    without_port: tuple[KnownKey, ...] = ()

    @property
    def keys(self) -> tuple[KnownKey, ...]:
        return tuple(entry for entry in self.entries if not entry.authority)

    @property
    def authorities(self) -> tuple[KnownKey, ...]:
        return tuple(entry for entry in (*self.entries, *self.without_port) if entry.authority)

    def authority_of(self, certificate: Certificate) -> KnownKey | None:
        """The line that trusts its authority."""
        return next((entry for entry in self.authorities if entry.key == certificate.authority), None)

    def is_revoked(self, key: HostKey) -> KnownKey | None:
        return next((entry for entry in self.entries if entry.revoked and entry.key == key), None)


def known_for(endpoint: Endpoint) -> Known:
    """Look it up; `HostKeyUnknown` names the file or the command that cannot be read."""
    try:
        files = (*endpoint.known_hosts, *endpoint.global_known_hosts)
        elsewhere = endpoint.host_key_alias or endpoint.port == SSH_PORT
        entries, *without_port = find_each(files, endpoint.known_as, *([] if elsewhere else [endpoint.address.lower()]))
        if endpoint.known_hosts_command:
            entries = (*entries, *_by_command(endpoint))
        return Known(entries, *without_port)
    except OSError as exc:
        raise _unreadable(endpoint, exc, "Correct UserKnownHostsFile or the file's mode.") from exc


def check_host_key(
    endpoint: Endpoint, known: Known, key: HostKey, *, certificate: Certificate | None = None, peer: str = ""
) -> None:
    """Return when `key` may be trusted; an unknown one is learnt if the policy says so.

    `peer` is the address of the other end where it is the host itself. `HostKeyUnknown` and `HostKeyChanged` name the
    file, the line, the fingerprint and the remedy.
    """
    try:
        if endpoint.trusts_localhost and _is_loopback(peer):
            return
        _refuse_revoked(endpoint, known, key, certificate)
        if certificate is not None and known.authority_of(certificate) is not None:
            _check_certificate(endpoint, certificate)
            return
        _check_plain(endpoint, known, key)
        if endpoint.checks_address and peer and not endpoint.host_key_alias and peer != endpoint.address:
            _check_peer(endpoint, key, peer)
    except OSError as exc:
        raise _unreadable(endpoint, exc, "Correct UserKnownHostsFile or the file's mode.") from exc


def is_trusted(known: Known, key: HostKey, certificate: Certificate | None) -> bool:
    """Whether a password may be sent to the holder of `key`, whatever the policy let through."""
    if certificate is not None and known.authority_of(certificate) is not None:
        return True
    return any(entry.key == key and not entry.revoked for entry in known.keys) or not known.keys


def _refuse_revoked(endpoint: Endpoint, known: Known, key: HostKey, certificate: Certificate | None) -> None:
    keys = [key] if certificate is None else [key, certificate.authority]
    for one in keys:
        if (entry := known.is_revoked(one)) is not None:
            raise _changed(endpoint, one, entry, "is revoked there")
        if endpoint.revoked_host_keys is not None:
            try:
                revoked = is_revoked(endpoint.revoked_host_keys, one)
            except (OSError, subprocess.SubprocessError) as exc:
                message = (
                    f"RevokedHostKeys {endpoint.revoked_host_keys} cannot be read ({exc}), so that no key is trusted"
                )
                raise HostKeyUnknown(endpoint.host, message, remedy="Correct it, or take it out.") from exc
            if revoked:
                raise HostKeyChanged(
                    endpoint.host,
                    f"{endpoint.known_as} shows the {one.kind} key {one.fingerprint}, which is revoked by "
                    f"{endpoint.revoked_host_keys}",
                )


def _check_certificate(endpoint: Endpoint, certificate: Certificate) -> None:
    name = endpoint.host_key_alias or endpoint.address.lower()
    try:
        certificate.check_host(name, chosen(endpoint.algorithms.authorities, AUTHORITIES))
    except NotValid as exc:
        message = f"{endpoint.known_as} shows the certificate {certificate.identity!r}, which {exc}"
        raise HostKeyUnknown(endpoint.host, message, remedy="Have the host's certificate signed anew.") from exc


def _check_plain(endpoint: Endpoint, known: Known, key: HostKey) -> None:
    good = [entry for entry in known.keys if not entry.revoked]
    elsewhere = any(entry.key == key and not (entry.revoked or entry.authority) for entry in known.without_port)
    if elsewhere or any(entry.key == key for entry in good):
        return
    if not good:
        _learn(endpoint, known, key)
    elif endpoint.host_keys is not HostKeyPolicy.OFF:
        same_kind = [entry for entry in good if entry.key.kind == key.kind]
        raise _changed(endpoint, key, (same_kind or good)[0], "is another one there")


def _check_peer(endpoint: Endpoint, key: HostKey, peer: str) -> None:
    """CheckHostIP: what is known of the address must not speak against the key."""
    name = peer if endpoint.port == SSH_PORT else f"[{peer}]:{endpoint.port}"
    entries = find((*endpoint.known_hosts, *endpoint.global_known_hosts), name)
    good = [entry for entry in entries if not (entry.revoked or entry.authority)]
    if good and not any(entry.key == key for entry in good) and endpoint.host_keys is not HostKeyPolicy.OFF:
        raise _changed(endpoint, key, good[0], f"is another one for its address {peer}")


def _is_loopback(peer: str) -> bool:
    return peer == "::1" or peer.startswith("127.")


def _learn(endpoint: Endpoint, known: Known, key: HostKey) -> None:
    if endpoint.host_keys is HostKeyPolicy.STRICT:
        raise _unknown(endpoint, known, key)
    if endpoint.known_hosts:
        append(endpoint.known_hosts[0], endpoint.known_as, key, hashed=endpoint.hashes_known_hosts)


def _by_command(endpoint: Endpoint) -> Iterator[KnownKey]:
    """What KnownHostsCommand prints; it is run without a shell, as by OpenSSH, when keys are put in order."""
    assert endpoint.names is not None
    more = {"H": endpoint.known_as, "I": "ORDER", "K": "NONE", "f": "NONE", "t": "NONE"}
    words = [
        expand(word, endpoint.names, "KnownHostsCommand", more) for word in shlex.split(endpoint.known_hosts_command)
    ]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=endpoint.connect_timeout, check=True
        )
    except subprocess.SubprocessError as exc:
        said = (getattr(exc, "stderr", None) or b"").decode("utf-8", "replace").strip().splitlines()
        raise OSError(None, f"it failed ({said[-1] if said else exc})", f"KnownHostsCommand {words[0]}") from exc
    for entry in parse(done.stdout.decode("utf-8", "replace"), Path(f"KnownHostsCommand {words[0]}")):
        if entry.is_for(endpoint.known_as):
            yield entry


def _unreadable(endpoint: Endpoint, exc: OSError, remedy: str) -> HostKeyUnknown:
    message = f"the key of {endpoint.known_as} cannot be checked: {exc.filename}: {exc.strerror}"
    return HostKeyUnknown(endpoint.host, message, remedy=remedy)


def _unknown(endpoint: Endpoint, known: Known, key: HostKey) -> HostKeyUnknown:
    searched = ", ".join(map(str, endpoint.known_hosts)) or "no file"
    scan = f"ssh-keyscan -p {endpoint.port} {endpoint.address}"
    signed = "; certificates of its authorities are trusted, but it shows none of theirs" if known.authorities else ""
    dns = " VerifyHostKeyDNS is not done here." if endpoint.asks_dns else ""
    return HostKeyUnknown(
        endpoint.host,
        f"the {key.kind} key {key.fingerprint} of {endpoint.known_as} is not in {searched}{signed}",
        remedy=f"Verify the fingerprint, then add what `{scan}` prints; or set StrictHostKeyChecking=accept-new.{dns}",
    )


def _changed(endpoint: Endpoint, key: HostKey, entry: KnownKey, what: str) -> HostKeyChanged:
    return HostKeyChanged(
        endpoint.host,
        f"{endpoint.known_as} shows the {key.kind} key {key.fingerprint}, which {what}: {entry.path} line {entry.line} "
        f"has {entry.key.kind} {entry.key.fingerprint}",
        remedy="Somebody may be intercepting the connection. When the new key was verified, remove the old with "
        f"`ssh-keygen -f {entry.path} -R '{endpoint.known_as}'`.",
    )

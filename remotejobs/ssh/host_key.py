"""Whether a server's key is the one that is known for it."""

from __future__ import annotations

from collections.abc import Sequence

from remotejobs.errors import HostKeyChanged, HostKeyUnknown
from remotejobs.ssh.endpoint import SSH_PORT, Endpoint, HostKeyPolicy
from remotejobs.ssh.known_hosts import HostKey, KnownKey, append, find


def known_keys(endpoint: Endpoint) -> tuple[KnownKey, ...]:
    """What the known_hosts files say of the endpoint."""
    return find((*endpoint.known_hosts, *endpoint.global_known_hosts), endpoint.known_as)


def check_host_key(endpoint: Endpoint, key: HostKey) -> None:
    """Return when `key` may be trusted; an unknown one is learnt if the policy says so.

    `HostKeyUnknown` and `HostKeyChanged` name the file, the line, the fingerprint and the remedy.
    """
    try:
        _check(endpoint, key)
    except OSError as exc:
        message = f"the key of {endpoint.known_as} cannot be checked: {exc.filename}: {exc.strerror}"
        raise HostKeyUnknown(endpoint.host, message, remedy="Correct UserKnownHostsFile or the file's mode.") from exc


def is_trusted(endpoint: Endpoint, key: HostKey) -> bool:
    """Whether a password may be sent to the holder of `key`, whatever the policy let through."""
    return any(entry.key == key and not entry.revoked for entry in known_keys(endpoint)) or not known_keys(endpoint)


def _check(endpoint: Endpoint, key: HostKey) -> None:
    known = known_keys(endpoint)
    for entry in known:
        if entry.key == key and entry.revoked:
            raise _changed(endpoint, key, entry, "is revoked there")
    if any(entry.key == key for entry in known) or _known_without_port(endpoint, key):
        return
    good = [entry for entry in known if not entry.revoked]
    if not good:
        _learn(endpoint, key)
    elif endpoint.host_keys is not HostKeyPolicy.OFF:
        same_kind = [entry for entry in good if entry.key.kind == key.kind]
        raise _changed(endpoint, key, (same_kind or good)[0], "is another one there")


def _known_without_port(endpoint: Endpoint, key: HostKey) -> bool:
    """OpenSSH trusts a key on another port of a host that it knows by that key."""
    if endpoint.host_key_alias or endpoint.port == SSH_PORT:
        return False
    files = (*endpoint.known_hosts, *endpoint.global_known_hosts)
    return any(entry.key == key and not entry.revoked for entry in find(files, endpoint.address.lower()))


def _learn(endpoint: Endpoint, key: HostKey) -> None:
    if endpoint.host_keys is HostKeyPolicy.STRICT:
        raise _unknown(endpoint, key, endpoint.known_hosts)
    if endpoint.known_hosts:
        append(endpoint.known_hosts[0], endpoint.known_as, key)


def _unknown(endpoint: Endpoint, key: HostKey, files: Sequence[object]) -> HostKeyUnknown:
    searched = ", ".join(str(path) for path in files) or "no file"
    scan = f"ssh-keyscan -p {endpoint.port} {endpoint.address}"
    return HostKeyUnknown(
        endpoint.host,
        f"the {key.kind} key {key.fingerprint} of {endpoint.known_as} is not in {searched}",
        remedy=f"Verify the fingerprint, then add what `{scan}` prints; or set StrictHostKeyChecking=accept-new.",
    )


def _changed(endpoint: Endpoint, key: HostKey, entry: KnownKey, what: str) -> HostKeyChanged:
    return HostKeyChanged(
        endpoint.host,
        f"{endpoint.known_as} shows the {key.kind} key {key.fingerprint}, which {what}: {entry.path} line {entry.line} "
        f"has {entry.key.kind} {entry.key.fingerprint}",
        remedy="Somebody may be intercepting the connection. When the new key was verified, remove the old with "
        f"`ssh-keygen -f {entry.path} -R '{endpoint.known_as}'`.",
    )

"""Private keys: files parsed once, and the agent's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from paramiko import Agent, PKey, SSHException
from paramiko.agent import AgentKey
from paramiko.pkey import PublicBlob, UnknownKeyType

from remotejobs.ssh.endpoint import Endpoint

USUAL = tuple(Path("~/.ssh") / name for name in ("id_ed25519", "id_ecdsa", "id_rsa"))


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to log in with, or (without `key`) why it cannot be used. `label` is for messages."""

    label: str
    key: PKey | None = None


class KeyUnusable(Exception):
    """A key file that cannot be used without a question."""


def candidates(endpoint: Endpoint, agent: Agent) -> Iterator[Candidate]:
    """What to try, in order: the configured files, the agent's other keys unless IdentitiesOnly, the usual files."""
    held = {key.asbytes(): key for key in agent.get_keys()}
    for path in endpoint.identity_files:
        yield _from_file(path, held)
    if not endpoint.identities_only:
        for key in held.values():
            yield Candidate(f"agent key {key.comment or key.fingerprint}", key)
    if not endpoint.identity_files:
        usual = (path.expanduser() for path in USUAL)
        yield from (_from_file(path, held) for path in usual if path.exists())


def _from_file(path: Path, held: dict[bytes, AgentKey]) -> Candidate:
    """The key of a file, or the agent's half of it when the file is encrypted or only a public key."""
    try:
        return Candidate(str(path), load_key(path))
    except KeyUnusable as exc:
        public = _public_half(path)
        if public is not None and public in held:
            return Candidate(f"{path} by the agent", held.pop(public))
        return Candidate(f"{path} ({exc})")


def load_key(path: Path) -> PKey:
    """Parse a private key file, once as long as it does not change; `KeyUnusable` says why not."""
    try:
        return _parse(path, os.stat(path).st_mtime_ns)  # noqa: PTH116
    except FileNotFoundError as exc:
        raise KeyUnusable("no such file") from exc
    except OSError as exc:
        raise KeyUnusable(f"cannot be read: {exc.strerror}") from exc


@lru_cache(maxsize=256)
def _parse(path: Path, _changed: int) -> PKey:
    try:
        return PKey.from_path(path)
    except TypeError as exc:
        # Both of cryptography's loaders say so for a key that wants a passphrase.
        raise KeyUnusable("encrypted, and not held by the agent") from exc
    except (ValueError, SSHException, UnknownKeyType) as exc:
        raise KeyUnusable("not a private key of a known kind") from exc


def _public_half(path: Path) -> bytes | None:
    for public in (path.with_name(path.name + ".pub"), path):
        try:
            return PublicBlob.from_file(public).key_blob
        except (OSError, ValueError, UnicodeDecodeError):
            continue
    return None

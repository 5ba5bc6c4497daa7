"""RevokedHostKeys: a file of public keys, or a revocation list that ssh-keygen reads."""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from remotejobs.connections.ssh.host_keys.known_hosts import HostKey, parse_blob

_BINARY = b"SSHKRL\n\0"
WITHIN = 10.0  # seconds


def is_revoked(path: Path, key: HostKey) -> bool:
    """Whether `path` has `key`; `OSError` when it cannot be read, upon which no key may be trusted."""
    state = os.stat(path)  # noqa: PTH116
    return _is_in(path, key, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4096)
def _is_in(path: Path, key: HostKey, _changed: int, _size: int) -> bool:
    data = path.read_bytes()
    if not data.startswith(_BINARY):
        lines = data.decode("utf-8", "replace").splitlines()
        return any(parse_blob(word) == key.blob for line in lines if "#" not in line[:1] for word in line.split())
    with tempfile.NamedTemporaryFile("w", suffix=".pub") as public:
        public.write(key.line("").lstrip())
        public.flush()
        command = ["ssh-keygen", "-Q", "-f", str(path), public.name]
        done = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WITHIN
        )
    if done.returncode and "REVOKED" not in done.stdout:
        raise OSError(None, (done.stderr or done.stdout).strip() or "ssh-keygen cannot read it", str(path))
    return done.returncode != 0

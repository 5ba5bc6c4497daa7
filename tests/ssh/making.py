"""Keys, certificates and agents for the tests of logins, made by OpenSSH's own programs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Making:
    """Makes each key once, in its directory."""

    directory: Path

    def key(self, name: str, kind: str = "ed25519") -> Path:
        path = self.directory / name
        if not path.exists():
            bits = ["-b", "2048"] if kind == "rsa" else []
            run("ssh-keygen", "-q", "-t", kind, *bits, "-N", "", "-C", name, "-f", str(path))
        return path

    def copy(self, key: Path, name: str) -> Path:
        """The same key under another name."""
        path = self.directory / name
        path.write_bytes(key.read_bytes())
        path.chmod(0o600)
        path.with_name(f"{name}.pub").write_bytes(key.with_name(f"{key.name}.pub").read_bytes())
        return path

    def certify(self, authority: Path, key: Path, principal: str, *, host: bool = False, valid: str = "+1h") -> Path:
        """Sign `key` for `principal`; the certificate lies beside it."""
        kind = ["-h"] if host else []
        validity = valid if ":" in valid else f"-1m:{valid}"
        words = ["-s", str(authority), *kind, "-I", key.name, "-n", principal, "-V", validity]
        run("ssh-keygen", "-q", *words, f"{key}.pub")
        return key.with_name(f"{key.name}-cert.pub")


@contextmanager
def agent_with(socket: Path, *keys: Path, options: tuple[str, ...] = ()) -> Iterator[Path]:
    """An ssh-agent that holds `keys`; `options` are those of ssh-add. Yields its socket."""
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        # It says where it listens as soon as it does.
        process.stdout.readline()
        try:
            for key in keys:
                run("ssh-add", "-q", *options, str(key), SSH_AUTH_SOCK=str(socket))
            yield socket
        finally:
            process.terminate()


def run(*words: str, **environment: str) -> None:
    kept = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment}
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=kept)

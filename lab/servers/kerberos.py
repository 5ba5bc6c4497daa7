"""A real Kerberos realm on 127.0.0.1: MIT's KDC with a database of its own, and a ticket for one user.

Everything lies in its directory. A program that is to see the realm needs `environment`: sshd, ssh, Python's
subprocesses.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.ports import Port
from lab.process import ServerProcess

REALM = "LAB.TEST"
KDC = "/usr/sbin/krb5kdc"
_WITHIN = 20.0

# Nothing is asked of DNS, and nothing is kept outside of the directory.
_CLIENT = """\
[libdefaults]
    default_realm = {realm}
    default_ccache_name = FILE:{directory}/tickets
    default_keytab_name = FILE:{directory}/keytab
    default_rcache_name = none:
    k5login_directory = {directory}
    dns_canonicalize_hostname = false
    dns_lookup_kdc = false
    dns_lookup_realm = false
    rdns = false
    udp_preference_limit = 1

[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
"""
_SERVER = """\
[kdcdefaults]
    kdc_listen = ""
    kdc_tcp_listen = 127.0.0.1:{port}

[realms]
    {realm} = {{
        database_name = {directory}/principals
        key_stash_file = {directory}/stash
    }}
"""


class Kerberos:
    """`with Kerberos(directory, services=["host/127.0.0.1"]) as kerberos:` runs the realm with keys for `services`."""

    def __init__(self, directory: Path, *, services: Sequence[str]) -> None:
        self.directory = directory.resolve()
        self._services = tuple(services)
        self._port = Port()
        self._server = ServerProcess("the KDC", self.directory / "kdc.log")

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "KRB5_CONFIG": str(self.directory / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(self.directory / "kdc.conf"),
        }

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        names = {"realm": REALM, "directory": self.directory, "port": self._port.number}
        (self.directory / "krb5.conf").write_text(_CLIENT.format(**names))
        (self.directory / "kdc.conf").write_text(_SERVER.format(**names))
        self._run("/usr/sbin/kdb5_util", "create", "-s", "-P", "of-the-lab")
        self._administer(*(f"addprinc -randkey {name}" for name in self._services))
        self._administer(*(f"ktadd {name}" for name in self._services))
        try:
            self._server.start([KDC, "-n"], env=self._whole_environment)
            self._server.await_ready(lambda: self._server.listens_on(self._port.number), _WITHIN)
        except BaseException:
            self._server.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.end()
        self._port.close()

    def give_ticket(self, user: str) -> None:
        """Make `user` known to the realm, and log in there as that user; the ticket may be handed on."""
        keys = self.directory / f"{user}.keys"
        self._administer(f"addprinc -randkey {user}", f"ktadd -k {keys} {user}")
        self._run("kinit", "-f", "-k", "-t", str(keys), user)

    def _administer(self, *commands: str) -> None:
        self._run("/usr/sbin/kadmin.local", given="\n".join([*commands, ""]))

    def _run(self, *words: str, given: str = "") -> None:
        done = subprocess.run(
            words, input=given, env=self._whole_environment, capture_output=True, text=True, check=False
        )
        # kadmin.local reports what it could not do and goes on.
        if done.returncode or "while" in done.stderr:
            raise RuntimeError(f"{words[0]} failed: {done.stderr.strip()}")

    @property
    def _whole_environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

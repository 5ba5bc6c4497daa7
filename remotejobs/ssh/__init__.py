"""Hosts over SSH, and the only place that knows paramiko.

`resolve` turns a host's variables and ssh_config into an `Endpoint` without touching the network;
`SshConnection` asks that endpoint.
"""

from __future__ import annotations

from remotejobs.ssh import lean as lean  # first: it decides how paramiko is imported
from remotejobs.ssh.connection import SshConnection
from remotejobs.ssh.endpoint import Endpoint, HostKeyPolicy
from remotejobs.ssh.files import SshFiles
from remotejobs.ssh.resolve import resolve

__all__ = ["Endpoint", "HostKeyPolicy", "SshConnection", "SshFiles", "resolve"]

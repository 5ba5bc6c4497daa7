"""Hosts over SSH, and with remotejobs.workarounds.paramiko the only place that knows paramiko.

`resolve.resolve` turns a host's variables and ssh_config into an `Endpoint` without touching the network, and without
paramiko; `connection.SshConnection` asks that endpoint, and `files.SshFiles` moves files from and to it.
`openssh` is the same by the system's ssh. What they are made of lies in `config`, `login`, `host_keys` and `transport`.
"""

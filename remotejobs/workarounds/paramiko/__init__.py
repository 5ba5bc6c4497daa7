"""Workarounds for paramiko, for `remotejobs.connections.ssh` alone. Importing it decides how paramiko is imported."""

from __future__ import annotations

from remotejobs.workarounds.paramiko import without_invoke as without_invoke

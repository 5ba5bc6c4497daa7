"""Import paramiko without invoke, which it takes along for one thing only: to run the commands of `Match exec`.

That import is a third of paramiko's own, every call of the command line would pay it, and what it runs reads our
stdin. A subprocess in its place does what OpenSSH does.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

if "paramiko" not in sys.modules and "invoke" not in sys.modules:
    sys.modules["invoke"] = None  # type: ignore[assignment] # an ImportError, as paramiko expects where it is missing
    try:
        import paramiko.config
    finally:
        del sys.modules["invoke"]
else:
    import paramiko.config


@dataclass(frozen=True, slots=True)
class _Ran:
    ok: bool


class _MatchExec:
    """As much of invoke as paramiko uses."""

    @staticmethod
    def run(command: str, **_options: object) -> _Ran:
        quiet = subprocess.DEVNULL
        done = subprocess.run(
            ["/bin/sh", "-c", command], check=False, stdin=quiet, stdout=quiet
        )  # the user's own words
        return _Ran(done.returncode == 0)


vars(paramiko.config)["invoke"] = _MatchExec

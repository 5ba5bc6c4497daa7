"""`python -m deployments.prepare`: bring the database of a server of several processes up to date, before they start.

Each of them would do it as it starts, at once with the others, and on a new database all but the first fail at it.
"""

from __future__ import annotations

import subprocess
import sys

from remotejobs.workarounds.prefect.block_types import register_block_types


def prepare() -> int:
    """Migrate it, and let it know the types of blocks; done again it changes nothing. Prefect's exit code."""
    migrate = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
    if code := subprocess.run(migrate, stdin=subprocess.DEVNULL, check=False).returncode:
        return code
    register_block_types()
    return 0


if __name__ == "__main__":
    raise SystemExit(prepare())

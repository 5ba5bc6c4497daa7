"""Import paramiko without invoke, which it takes along for one thing only: `Match exec` in an ssh_config.

That import is a third of paramiko's own, and every call of the command line would pay it.
"""

from __future__ import annotations

import importlib
import sys

if "paramiko" not in sys.modules and "invoke" not in sys.modules:
    sys.modules["invoke"] = None  # type: ignore[assignment] # None makes `import invoke` an ImportError, which paramiko expects
    try:
        import paramiko.config
    finally:
        del sys.modules["invoke"]
else:
    import paramiko.config


def allow_match_exec() -> None:
    """Let paramiko run the commands of `Match exec` after all. Raises `ImportError` where invoke is not installed."""
    vars(paramiko.config)["invoke"] = importlib.import_module("invoke")

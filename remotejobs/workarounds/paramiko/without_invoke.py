"""Import paramiko without invoke, which it takes along for one thing only: to run the commands of `Match exec`.

Seen with paramiko 5.1.0. That import is a third of paramiko's own, every call of the command line would pay it, and
nothing here reads ssh_config with paramiko.

Upstream: invoke came with `Match exec`, https://github.com/paramiko/paramiko/issues/717. The public way would be that
paramiko imports it where it is needed.
"""

from __future__ import annotations

import sys

from remotejobs.workarounds.private import require

_MODULE = "invoke"

if "paramiko" not in sys.modules and _MODULE not in sys.modules:
    sys.modules[_MODULE] = None  # type: ignore[assignment] # an ImportError, as paramiko expects where it is missing
    try:
        import paramiko.config
    finally:
        del sys.modules[_MODULE]
else:
    import paramiko.config

require("paramiko", paramiko.config, _MODULE)

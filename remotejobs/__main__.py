"""`python -m remotejobs` is the command `remotejobs`."""

from __future__ import annotations

import sys

from remotejobs.cli import main

if __name__ == "__main__":
    sys.exit(main())

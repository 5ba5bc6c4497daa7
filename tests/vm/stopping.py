"""Holding the host half still at a point of no return."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from remotejobs.shell import Shell

_SYNC = """#!/bin/sh
case $1 in
'%s'*) touch /run/stopped && exec sleep 3600 ;;
esac
exec /usr/bin/sync "$@"
"""


@contextmanager
def stop_at_sync(shell: Shell, name: str) -> Iterator[Callable[[], bool]]:
    """Whoever syncs a file whose name begins with `name` stops there for good; gives whether somebody has."""
    script = _SYNC % name
    put = (
        f"cat > /usr/local/bin/sync <<'EOT' && chmod +x /usr/local/bin/sync && rm -f /run/stopped && sync\n{script}EOT"
    )
    assert shell.run(put).rc == 0
    try:
        yield lambda: shell.run("test -e /run/stopped").rc == 0
    finally:
        assert shell.run("rm /usr/local/bin/sync").rc == 0

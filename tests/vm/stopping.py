"""Holding the agent still at a point of no return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from remotejobs.agent.shell import Shell
from tests.awaiting import await_there

_SYNC = """#!/bin/sh
case ${PWD##*/}/$1 in
%s
esac
exec /usr/bin/sync "$@"
"""


@contextmanager
def stop_at_sync(shell: Shell, points: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """The job `jid` that syncs a file whose name begins with `points[jid]` stops there for good.

    Gives what waits until all have.
    """
    cases = [f"'{jid}/{name}'*) touch /run/stopped-{jid} && exec sleep 3600 ;;" for jid, name in points.items()]
    script = _SYNC % "\n".join(cases)
    put = f"cat > /usr/local/bin/sync <<'EOT' && chmod +x /usr/local/bin/sync && sync\n{script}EOT"
    assert shell.run(put).rc == 0
    try:
        yield lambda: await_there(shell, " && ".join(f"test -e /run/stopped-{jid}" for jid in points))
    finally:
        assert shell.run("rm /usr/local/bin/sync").rc == 0

"""What `remotejobs web` puts together: the hosts, what is asked of them, and the page that shows it."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import NoReturn

from remotejobs.cli import exit_codes
from remotejobs.cli.commands.backups import DIRECTORY
from remotejobs.cli.target import Target
from remotejobs.operations.flow_runs import FlowRuns
from remotejobs.operations.prefect_server import prefect_settings
from remotejobs.text import visible
from remotejobs.web.board import Board
from remotejobs.web.live_fleet import LiveFleet
from remotejobs.web.serve import Place, serve
from remotejobs.web.upkeep import Upkeep


def web(args: Namespace) -> NoReturn:
    """Until Ctrl-C."""
    target = Target.of(args)
    fleet = target.fleet()

    def command(name: str, host: str, *rest: str) -> str:
        return target.on(host).line(name, *rest)

    upkeep = Upkeep(fleet, args.backups or DIRECTORY)
    live = LiveFleet(fleet, upkeep, jobs=args.jobs, since=args.since, poll=args.poll)
    place = Place(
        args.listen,
        args.port,
        tuple(args.name),
        token_file=args.token_file,
        certificate=args.certificate,
        key=args.key,
    )
    try:
        board = Board(live, FlowRuns(prefect_settings()), command)
        serve(board, place, title=target.pattern, actions=args.allow_actions, say=_say)
    except KeyboardInterrupt:
        exit_codes.leave(exit_codes.INTERRUPTED)
    # Not returned: the hosts' threads would be waited for.
    exit_codes.leave(exit_codes.OK)


def _say(line: str) -> None:
    sys.stdout.write(f"{visible(line)}\n")
    sys.stdout.flush()

"""`remotejobs web`: the jobs of many hosts on a page for browsers, live."""

from __future__ import annotations

from argparse import Namespace

from remotejobs.cli.parser import Commands, Parser, add_command, add_reach, count, poll, seconds
from remotejobs.errors import UsageError

POLL = 5.0  # seconds
PORT = 4210


def add(commands: Commands[Parser]) -> None:
    parser = add_command(
        commands, "web", execute, reports=False, purpose="show the jobs of many hosts on a page for browsers, live"
    )
    parser.epilog = (
        "It shows and changes nothing, on this machine alone. With --allow-actions, or where --listen lets others\n"
        "come, a login is needed: by the link that is printed, or a token of yours (--token-file, or the\n"
        "environment's REMOTEJOBS_WEB_TOKEN). Links to Prefect need PREFECT_API_URL."
    )
    parser.add_argument("--port", metavar="N", type=count, default=PORT, help=f"where (default {PORT}; 0: a free one)")
    parser.add_argument(
        "--listen", metavar="ADDRESS", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)"
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        action="append",
        default=[],
        help="a name that browsers may ask for it by, as behind a proxy (repeatable)",
    )
    parser.add_argument("--allow-actions", action="store_true", help="let it end jobs, and run them again")
    parser.add_argument("--token-file", metavar="FILE", default="", help="the token for logins; only you may read it")
    parser.add_argument("--certificate", metavar="FILE", default="", help="serve by TLS with this certificate (PEM)")
    parser.add_argument("--key", metavar="FILE", default="", help="the certificate's key, where it is in another file")
    parser.add_argument("--jobs", metavar="JOBS", default="*", help="only these: a jid or a label, with * and ?")
    parser.add_argument(
        "--since", metavar="AGE", type=seconds, default=86400.0, help="show jobs that ended since then (default 1d)"
    )
    parser.add_argument(
        "--backups", metavar="DIR", default="", help="where backups lie on the hosts (default as of `backups`)"
    )
    parser.add_argument(
        "-P",
        "--poll",
        metavar="SECONDS",
        type=poll,
        default=POLL,
        help=f"ask a host where something changes every so many seconds (default {POLL:g})",
    )
    add_reach(parser)


def execute(args: Namespace) -> int:
    if args.poll == 0:
        raise UsageError("web with -P 0 would ask without pause", remedy="Give at least -P 1.")
    if args.key and not args.certificate:
        raise UsageError("--key without --certificate", remedy="Name the certificate too.")
    from remotejobs.cli.web import web  # no other command needs it

    web(args)

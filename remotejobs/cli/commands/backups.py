"""`remotejobs backups list|verify|restore`: what lies on the hosts themselves, and getting it back."""

from __future__ import annotations

from argparse import Namespace

from remotejobs.cli import exit_codes
from remotejobs.cli.parser import Commands, Parser, add_command, add_poll, add_reach, at_least_one, count, timeout

DIRECTORY = "/var/backups/remotejobs"


def add(commands: Commands[Parser]) -> None:
    parser = commands.add_parser(
        "backups",
        help="list, verify and restore the backups that lie on the hosts",
        description="List, verify and restore the backups that lie on the hosts. They alone are asked.",
        allow_abbrev=False,
    )
    parser.set_defaults(execute=_without_action, parser=parser)
    actions = parser.add_subparsers(metavar="ACTION")
    _add_list(actions)
    _add_verify(actions)
    _add_restore(actions)


def _add_common(parser: Parser) -> None:
    parser.add_argument(
        "--directory", metavar="DIR", default=DIRECTORY, help=f"where they lie on the hosts (default {DIRECTORY})"
    )
    add_reach(parser)


def _add_programs(parser: Parser) -> None:
    parser.add_argument("--programs", metavar="DIR", help="PostgreSQL's programs on the host (default those in PATH)")


def _add_list(actions: Commands[Parser]) -> None:
    parser = add_command(actions, "list", _list, purpose="show the backups of every host", details=False)
    parser.add_argument("--item", metavar="NAME", default="", help="only those of this item of the plan")
    _add_common(parser)


def _add_verify(actions: Commands[Parser]) -> None:
    parser = add_command(
        actions, "verify", _verify, purpose="read the backups of every host again, and mark damaged ones"
    )
    parser.add_argument("--item", metavar="NAME", help="only those of this item of the plan")
    parser.add_argument(
        "--restore-one-in", metavar="N", type=at_least_one, help="restore one database in N into a throw-away server"
    )
    _add_programs(parser)
    parser.add_argument(
        "-B", "--background", dest="timeout", metavar="SECONDS", type=timeout, help="end it after so long (default 12h)"
    )
    parser.add_argument("--dry-run", action="store_true", help="show which backups would be read, and start nothing")
    parser.add_argument("--jid", metavar="JID", default="", help="the job's id; the same again attaches to it")
    add_poll(parser)
    _add_common(parser)


def _add_restore(actions: Commands[Parser]) -> None:
    parser = add_command(actions, "restore", _restore, purpose="restore a backup into a database or a directory")
    parser.epilog = "  remotejobs backups restore db1 --item orders --database orders_yesterday --dry-run"
    parser.add_argument("--item", metavar="NAME", required=True, help="the item of the plan")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--database", metavar="NAME", help="the database to restore to")
    where.add_argument("--to", metavar="DIR", help="the directory to restore files to")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--at",
        metavar="TIME",
        help="the last good one started by then, UTC: '2026-11-30 02:00' (default the latest)",
    )
    which.add_argument("--file", metavar="NAME", help="this very backup")
    parser.add_argument("--tested", action="store_true", help="only one that was restored for a test")
    parser.add_argument(
        "--replace", action="store_true", help="put what is there aside, under another name; otherwise that is refused"
    )
    parser.add_argument("--end-sessions", action="store_true", help="end the sessions of the database that is replaced")
    parser.add_argument(
        "--no-owners", dest="owners", action="store_false", help="all belongs to the user; roles need not be there"
    )
    parser.add_argument("--server", metavar="HOST", help="where the server listens there (default its socket)")
    parser.add_argument("--port", metavar="N", type=at_least_one, help="its port (default 5432, or 3306 for MariaDB)")
    parser.add_argument("--username", metavar="NAME", help="user of the server (default the job's user)")
    parser.add_argument(
        "--passfile", metavar="FILE", help="password file on the host (default ~/.pgpass, or ~/.my.cnf)"
    )
    parser.add_argument("--service", metavar="NAME", help="section of pg_service.conf on the host, instead of these")
    parser.add_argument(
        "--sslmode", metavar="MODE", help="how the connection is checked: verify-full, as libpq calls it"
    )
    parser.add_argument(
        "--sslrootcert", metavar="FILE", help="authorities that it trusts, on the host (default libpq's)"
    )
    _add_programs(parser)
    parser.add_argument("--copy-on", metavar="HOST", help="restore from a copy: the host that has it")
    parser.add_argument("--copy-of", metavar="HOST", help="the host that was backed up (default the one restored on)")
    parser.add_argument(
        "--copies", metavar="DIR", help="where copies lie on that host (default /var/backups/remotejobs-copies)"
    )
    parser.add_argument(
        "--fetch", metavar="COMMAND", help="restore from a copy that this command of the host writes to its output"
    )
    parser.add_argument("--names", metavar="COMMAND", help="and this one writes the names of what there is (or --file)")
    parser.add_argument(
        "--idle-timeout",
        metavar="SECONDS",
        type=count,
        help="end that command when it gave no byte for so long (default 1800; 0: never)",
    )
    parser.add_argument("--sha256", metavar="SUM", help="only a backup with this checksum, from the run's table")
    parser.add_argument(
        "--identity",
        metavar="FILE",
        default="",
        help="what opens an encrypted copy, a file of this machine: an identity of age, or a secret key of gpg; the "
        "host gets it in memory alone, for as long as it decrypts",
    )
    parser.add_argument("--jobs", metavar="N", type=at_least_one, help="tables to restore at a time (default 1)")
    parser.add_argument("--reserve-mib", metavar="N", type=int, help="MiB that stay free (default 1024)")
    parser.add_argument(
        "-B", "--background", dest="timeout", metavar="SECONDS", type=timeout, help="end it after so long (default 4h)"
    )
    parser.add_argument("--jid", metavar="JID", default="", help="the job's id; the same again attaches to it")
    parser.add_argument("--dry-run", action="store_true", help="show what would be restored, and change nothing")
    add_poll(parser)
    _add_common(parser)


def _list(args: Namespace) -> int:
    from remotejobs.cli.backups import listed, say_backups  # pydantic is behind it, which --help need not wait for
    from remotejobs.cli.show import gather
    from remotejobs.cli.target import Target

    with Target.of(args).fleet() as fleet:
        results = gather(fleet, lambda jobs: listed(fleet, jobs, args.directory, args.item))
    say_backups(results, as_json=args.json)
    return exit_codes.of_errors(results)


def _verify(args: Namespace) -> int:
    from remotejobs.cli.restoring import verify

    return verify(args)


def _restore(args: Namespace) -> int:
    from remotejobs.cli.restoring import restore

    return restore(args)


def _without_action(args: Namespace) -> int:
    args.parser.error("say what to do: list, verify or restore")
    return exit_codes.USAGE_ERROR

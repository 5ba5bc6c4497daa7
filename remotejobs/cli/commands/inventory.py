"""`remotejobs inventory`: what ansible-inventory prints, from the same files. No host is asked."""

from __future__ import annotations

import sys
from argparse import Namespace

from remotejobs.cli import exit_codes
from remotejobs.cli.inventories import Inventories, add_inventories
from remotejobs.cli.parser import Commands, Parser
from remotejobs.errors import UsageError

_PURPOSE = "show the inventory as ansible-inventory does: its JSON, or its groups as a tree"


def add(commands: Commands[Parser]) -> None:
    parser = commands.add_parser(
        "inventory", help=_PURPOSE, description=_PURPOSE[0].upper() + _PURPOSE[1:] + ".", allow_abbrev=False
    )
    parser.set_defaults(execute=execute, parser=parser)
    parser.add_argument("group", metavar="GROUP", nargs="?", default="", help="with --graph: begin at this group")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--list", action="store_true", help="all groups, hosts and variables, as JSON")
    what.add_argument("--host", metavar="HOST", help="the variables of one host, as JSON")
    what.add_argument("--graph", action="store_true", help="the groups as a tree, with their hosts")
    parser.add_argument("--templated", action="store_true", help="fill in the templates; vaults are opened too")
    parser.add_argument("-l", "--limit", metavar="PATTERN", default="", help="with --list: only these hosts")
    add_inventories(parser)


def execute(args: Namespace) -> int:
    from remotejobs.inventory.listing import as_json, graph, host_listing, listing

    if args.group and not args.graph:
        raise UsageError(f"the group {args.group!r} goes with --graph alone", remedy="Choose hosts with -l.")
    inventory = Inventories.of(args).load()
    if args.graph:
        for line in graph(inventory, args.group or "all"):
            sys.stdout.write(f"{line}\n")
    elif args.list:
        sys.stdout.write(as_json(listing(inventory, args.limit, templated=args.templated)) + "\n")
    else:
        sys.stdout.write(as_json(host_listing(inventory, args.host, templated=args.templated)) + "\n")
    return exit_codes.OK

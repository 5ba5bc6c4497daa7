"""`remotejobs hosts`: what a pattern names, and where that is. No host is asked."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from remotejobs.address import address_of
from remotejobs.cli import exits
from remotejobs.cli.parser import Commands, Parser, add_command
from remotejobs.cli.show import say
from remotejobs.display.paint import Paint
from remotejobs.display.table import table
from remotejobs.inventory import inventory_path, load_inventory


def add(commands: Commands[Parser]) -> None:
    add_command(commands, "hosts", execute, purpose="show the hosts of a pattern, without asking them")


def execute(args: Namespace) -> int:
    hosts = load_inventory(inventory_path(args.inventory)).select(args.pattern, args.limit or None)
    if args.json:
        for host in hosts:
            say(
                json.dumps(
                    {"host": host.name, "address": address_of(host), "groups": host.groups, "source": host.source}
                )
            )
        return exits.OK
    heads = ("host", "address", "groups") + (("source",) if args.verbose else ())
    rows = [(host.name, address_of(host), ", ".join(host.groups), host.source)[: len(heads)] for host in hosts]
    for line in table(heads, rows, Paint.for_stream(sys.stdout)):
        say(line)
    return exits.OK

"""`remotejobs hosts`: what a pattern names, and where that is. No host is asked."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, replace

from remotejobs.cli import exit_codes
from remotejobs.cli.inventories import Inventories
from remotejobs.cli.parser import Commands, Parser, add_command
from remotejobs.cli.show import say
from remotejobs.connections.address import addresses_of
from remotejobs.connections.connect import is_local
from remotejobs.display.paint import Paint
from remotejobs.display.table import table
from remotejobs.inventory import Host
from remotejobs.inventory.override import with_login
from remotejobs.inventory.variables import masked
from remotejobs.text import one_line


def add(commands: Commands[Parser]) -> None:
    parser = add_command(commands, "hosts", execute, purpose="show the hosts of a pattern, without asking them")
    parser.add_argument("--explain", action="store_true", help="show where each setting of the connection came from")


def execute(args: Namespace) -> int:
    chosen = Inventories.of(args).load().select(args.pattern, args.limit or None)
    hosts = with_login(chosen, args.user or None, None, "--user")
    if args.explain:
        _explain(hosts, as_json=args.json)
        return exit_codes.OK
    addresses = addresses_of(hosts)
    if args.json:
        for host, address in zip(hosts, addresses, strict=True):
            say(json.dumps({"host": host.name, "address": address, "groups": host.groups, "source": host.source}))
        return exit_codes.OK
    heads = ("host", "address", "groups") + (("source",) if args.verbose else ())
    rows = [
        (host.name, address, ", ".join(host.groups), host.source)[: len(heads)]
        for host, address in zip(hosts, addresses, strict=True)
    ]
    for line in table(heads, rows, Paint.for_stream(sys.stdout)):
        say(line)
    return exit_codes.OK


def _explain(hosts: Sequence[Host], *, as_json: bool) -> None:
    """Each setting with its place; of a host of this machine there is nothing to say."""
    from remotejobs.connections.ssh.explain import explain

    explained = [
        (host.name, replace(row, hop=masked(host, row.hop), value=masked(host, row.value)))
        for host in hosts
        if not is_local(host)
        for row in explain(host)
    ]
    if as_json:
        for name, row in explained:
            say(json.dumps({"host": name, **asdict(row)}))
        return
    rows = [(name, row.hop, row.setting, one_line(row.value), row.place) for name, row in explained]
    for line in table(("host", "hop", "setting", "value", "from"), rows, Paint.for_stream(sys.stdout)):
        say(line)

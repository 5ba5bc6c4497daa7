"""The page for man(1), made from the options that there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from remotejobs.cli.described import Command, Option

_FILES = """
.TP
.B inventories/hosts.yml
The inventory, where neither -i nor the environment names another; ansible.cfg is read as Ansible reads it.
.TP
.B ~/.remotejobs/
On a host: the jobs of its user.
"""
_ENVIRONMENT = """
.TP
.B REMOTEJOBS_INVENTORY
The inventory; then ANSIBLE_INVENTORY counts.
.TP
.B NO_COLOR
Set, and not empty: no colours.
"""


def page(commands: Sequence[Command], version: str, exit_codes: str) -> str:
    """The page in man's language."""
    parts = [
        f'.TH REMOTEJOBS 1 "" "remotejobs {_plain(version)}"',
        ".SH NAME",
        "remotejobs \\- long jobs on remote hosts: started detached, watched, found again, killed with proof",
        ".SH SYNOPSIS",
        *(line for command in commands for line in (_usage(command), ".br")),
        ".SH COMMANDS",
        *(line for command in commands for line in _command(command)),
        ".SH EXIT STATUS",
        _plain(" ".join(exit_codes.split())),
        ".SH ENVIRONMENT" + _ENVIRONMENT.rstrip(),
        ".SH FILES" + _FILES.rstrip(),
        ".SH SEE ALSO",
        ".BR ssh (1),",
        ".BR ssh_config (5),",
        ".BR ansible-inventory (1)",
    ]
    return "\n".join(parts) + "\n"


def _usage(command: Command) -> str:
    words = " ".join(argument.value or argument.names[0] for argument in command.arguments)
    after = " -- COMMAND" if command.words == "run" else ""
    return f"\\fBremotejobs {_plain(command.words)}\\fR {_plain(words)} [options]{_plain(after)}"


def _command(command: Command) -> Iterable[str]:
    yield f".SS {_plain(command.words)}"
    yield _sentence(command.purpose)
    for option in (*command.arguments, *command.options):
        yield ".TP"
        yield _names(option)
        yield _sentence(option.help)


def _names(option: Option) -> str:
    if not option.names[0].startswith("-"):
        return f"\\fI{_plain(option.value or option.names[0])}\\fR"
    value = f" \\fI{_plain(option.value)}\\fR" if option.value else ""
    return ", ".join(f"\\fB{_plain(name)}\\fR{value}" for name in option.names)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return _plain(text if text.endswith((".", ":")) else f"{text}.")


def _plain(text: str) -> str:
    """Text that is no request of roff, and whose hyphens can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text

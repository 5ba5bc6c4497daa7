"""Becoming another user by sudo, so that no byte of a script is ever read by a password prompt.

sudo runs a wrapper that says that it is there, throws away lines up to a mark, and only then becomes the
shell that reads the script. The password, when there is one, is sent first: it is read by sudo's prompt, or
thrown away by the wrapper where sudo asks for none. The rest is sent when the wrapper was heard.
"""

from __future__ import annotations

import re

from remotejobs.connections.base import Become
from remotejobs.connections.unlike_ansible import check_sudo_flags, sudo_program
from remotejobs.errors import UsageError
from remotejobs.inventory.variables import HostLike, flag, text

PROMPT = b"remotejobs-password:"
READY = b"remotejobs-ready\n"
BEGIN = b"remotejobs-begin\n"

# Words for sh, bash, fish and csh alike inside single quotes: no quote, no backslash, no `!`, one line.
WRAPPER = "echo remotejobs-ready; while read -r line; do case $line in remotejobs-begin) exec sh -s;; esac; done"

# Also of directories: Oracle, user.name, svc@corp.example, CORP\svc. No quotation mark, no `!`, and not an option.
_USER = re.compile(r"\w[\w.@+-]*(\\\w[\w.@+-]*)?[$]?")


def sudo_words(become: Become) -> list[str]:
    """The command that becomes the user and waits for a script; `UsageError` for a name that could be an option."""
    if not _USER.fullmatch(become.user):
        raise UsageError(
            f"become user {become.user!r} is not a user's name",
            remedy="Use letters, digits and . _ - + @, and one \\ after a domain.",
        )
    ask = ["-n"] if become.password is None else ["-S", "-p", PROMPT.decode()]
    return [become.program, "-H", "-u", become.user, *ask, "--", "sh", "-c", WRAPPER]


def become_for(
    host: HostLike, *, become: bool | None = None, user: str | None = None, password: str | None = None
) -> Become | None:
    """How to become on `host`: by its ansible_become* variables, overridden by the arguments; None for not at all.

    `UsageError` when the method is not sudo, or the user or the password cannot be used with it.
    """
    wanted = flag(host, "ansible_become", default=False) if become is None else become
    if not wanted:
        return None
    method = text(host, "ansible_become_method") or "sudo"
    if method.removeprefix("ansible.builtin.") != "sudo":
        raise UsageError(f"{host.name}: ansible_become_method is {method!r}", remedy="Only sudo is supported.")
    if password is None:
        password = text(host, "ansible_become_password", "ansible_become_pass") or None
    if password is not None and re.search(r"[\r\n\0]", password):
        raise UsageError(f"{host.name}: the become password holds a line break", remedy="sudo reads one line.")
    check_sudo_flags(host)
    chosen = Become(user or text(host, "ansible_become_user") or "root", password, sudo_program(host))
    sudo_words(chosen)
    return chosen

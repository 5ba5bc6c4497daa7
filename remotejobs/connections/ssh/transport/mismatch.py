"""Two sides without an algorithm in common: both lists, and which of the two is behind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from remotejobs.connections.ssh.resolve import SUGGESTED

OLD = re.compile(r".*(sha1|-cbc|arcfour|ssh-dss|hmac-md5|ripemd|umac-64).*|ssh-rsa|3des.*")
SERVER_BEHIND = "The server is behind: it has only what is no longer safe. Update it."
_NOT_HERE = re.compile(r"(sntrup761|chacha20-poly1305|umac|sk-|ssh-mldsa|mlkem).*")


def mismatch(offered: Mapping[str, Sequence[str]], ours: Mapping[str, Sequence[str]], version: str) -> tuple[str, str]:
    """What to say and to do of the first kind of algorithm in which nothing is common; `version` is the server's."""
    for keyword, theirs in offered.items():
        if set(theirs) & set(ours[keyword]):
            continue
        server = version.removeprefix("SSH-2.0-") or "the server"
        message = (
            f"no {keyword} in common: {server} offers {', '.join(theirs)}; here there are {', '.join(ours[keyword])}"
        )
        if all(map(OLD.fullmatch, theirs)):
            return message, SERVER_BEHIND
        if any(map(_NOT_HERE.match, theirs)):
            behind = "This side is behind: paramiko cannot do what the server allows."
            return message, f"{behind} {SUGGESTED}, or allow one of ours there."
        return message, compare(keyword)
    return "there is no algorithm in common", "Compare the lists of both sides."


def compare(keyword: str) -> str:
    """What to do where neither side is behind."""
    return f"Check {keyword} in sshd_config there and in ssh_config here."

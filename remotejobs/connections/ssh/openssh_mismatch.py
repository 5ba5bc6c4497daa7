"""The other half of what ssh says where both sides have no algorithm in common: its own list, and the outdated side."""

from __future__ import annotations

import re

from remotejobs.connections.ssh.openssh_query import SshQuery
from remotejobs.connections.ssh.transport.mismatch import OLD, SERVER_BEHIND, compare

_OFFER = re.compile(r"Unable to negotiate with .*?: no matching (.*?) found\. Their offer: (.*)")
# As ssh calls them here, in ssh_config, and for `ssh -Q`.
_KINDS = {
    "host key type": ("HostKeyAlgorithms", "key"),
    "key exchange method": ("KexAlgorithms", "kex"),
    "cipher": ("Ciphers", "cipher"),
    "MAC": ("MACs", "mac"),
}
_NO_ALGORITHM = re.compile(r"kex-strict-.*|ext-info-.*")  # only signs, among the exchanges of keys


def mismatch(line: str, query: SshQuery) -> tuple[str, str | None]:
    """What to add to this line of ssh, and what to do; None for the usual advice."""
    if (found := _OFFER.fullmatch(line)) is None or found[1] not in _KINDS:
        return "", None
    keyword, kind = _KINDS[found[1]]
    theirs = [name for name in found[2].split(",") if not _NO_ALGORITHM.fullmatch(name)]
    ours = f"; here there are {query.settings().get(keyword.lower(), 'others').replace(',', ', ')}"
    if all(map(OLD.fullmatch, theirs)):
        return ours, SERVER_BEHIND
    if not query.algorithms(kind) & set(theirs):
        return (
            ours,
            f"This side is behind: {query.program} knows none of theirs. Update it, or allow one of ours there.",
        )
    return ours, compare(keyword)

"""The public half of a private key that cannot be read here: encrypted, or in a token."""

from __future__ import annotations

import binascii
import re
from pathlib import Path

from paramiko import Message

from remotejobs.connections.ssh.host_keys.known_hosts import HostKey, parse_blob

_ARMOUR = re.compile("-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END", re.DOTALL)
_MAGIC = b"openssh-key-v1\0"


def public_half(path: Path) -> HostKey | None:
    """From the file beside the private key, from one that is a public key itself, or from OpenSSH's private form."""
    for public in (path.with_name(path.name + ".pub"), path):
        try:
            kind, word = public.read_text().split()[:2]
        except (OSError, ValueError, UnicodeDecodeError):
            continue
        blob = parse_blob(word)
        if blob is not None and kind.encode() in blob[:64]:
            return HostKey(kind, blob)
    try:
        return of_private(path.read_text(errors="replace"))
    except OSError:
        return None


def of_private(text: str) -> HostKey | None:
    """OpenSSH writes the public half in front of the private one, and does not encrypt it. None for other forms."""
    armoured = _ARMOUR.search(text)
    try:
        data = binascii.a2b_base64(armoured[1]) if armoured else b""
    except ValueError:
        return None
    if not data.startswith(_MAGIC):
        return None
    message = Message(data[len(_MAGIC) :])
    for _ in ("cipher", "key derivation", "its options"):
        message.get_string()
    message.get_int()
    blob = message.get_string()
    kind = Message(blob).get_string().decode("ascii", "replace")
    return HostKey(kind, blob) if kind else None


def lives_in_a_token(public: HostKey | None) -> str:
    """What to say of a key that no file holds; "" of others."""
    if public is None or not public.kind.startswith("sk-"):
        return ""
    return "a FIDO key, for which the agent has to hold it, or remotejobs_transport be openssh"

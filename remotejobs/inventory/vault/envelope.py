"""The form in which ansible-vault writes: a line that begins with `$ANSIBLE_VAULT;`, hexadecimal digits below it."""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field

_MARK = "$ANSIBLE_VAULT;"
_CIPHER = "AES256"
_ROUNDS = 10_000
_BLOCK = 16


class BadEnvelope(ValueError):
    """It begins like a vault and is none; the message says why."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is in one vault, still encrypted. `label` is the vault id that it was encrypted for, "" for none."""

    label: str
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)

    def open(self, password: bytes) -> bytes | None:
        """The text inside; None when that is not the password."""
        # They take a tenth of a second to import, which inventories without a vault need not wait for.
        import hashlib
        import hmac

        keys = hashlib.pbkdf2_hmac("sha256", password, self.salt, _ROUNDS, 80)
        if not hmac.compare_digest(hmac.digest(keys[32:64], self.ciphertext, "sha256"), self.digest):
            return None
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        decryptor = Cipher(algorithms.AES(keys[:32]), modes.CTR(keys[64:])).decryptor()
        padded = decryptor.update(self.ciphertext) + decryptor.finalize()
        return padded[: -padded[-1]] if padded and padded[-1] <= _BLOCK else padded


def is_vault(text: str) -> bool:
    """Whether it begins as what ansible-vault wrote."""
    return text.startswith(_MARK)


def parse(text: str) -> Envelope:
    """Take it apart. Raises `BadEnvelope`."""
    head, _, body = text.strip().partition("\n")
    words = head.strip().split(";")
    if not is_vault(head) or len(words) < 3:
        raise BadEnvelope("does not begin with $ANSIBLE_VAULT;VERSION;CIPHER")
    if words[2].strip() != _CIPHER:
        raise BadEnvelope(f"is encrypted with the cipher {words[2].strip()}; only {_CIPHER} is read")
    try:
        salt, digest, ciphertext = map(binascii.unhexlify, binascii.unhexlify("".join(body.split())).split(b"\n"))
    except ValueError as exc:
        raise BadEnvelope("is damaged: below its first line there are no three parts in hexadecimal digits") from exc
    return Envelope(words[3].strip() if len(words) > 3 else "", salt, digest, ciphertext)

"""How the program ssh gets a password: by a program of ours that reads it from a pipe, so that it stands nowhere.

ssh runs SSH_ASKPASS for every question that it has, and so does any other ssh below it: that of a jump host, or of a
ProxyCommand. Only the ssh that we started is answered, only as often as was agreed, and only what asks for that word.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from remotejobs.errors import UsageError

# What a person has to read off a device, and what a server asks that wants a password changed: a pattern for Python
# and for grep -E, without regard to case.
BY_HAND = (
    r"code|token|otp|one.?time|passcode|verif|pin\b|duo|yubikey"
    r"|\b(new|old|current|confirm|repeat|re-?type|re-?enter)\b.*pass|pass.*\bagain\b"
)

# Once for each of the two methods that may ask for it: password and keyboard-interactive.
TURNS = (1, 2)
# ssh keeps the number of the process that becomes it.
MARKED = ("/bin/sh", "-c", 'export REMOTEJOBS_ASKER=$$; exec "$@"', "sh")

# What ssh itself asks, not the host: about keys, their passphrases, the touch of a token.
_OF_SSH = '*yes/no*|"Enter passphrase "*|"Bad passphrase"*|"Enter PIN"*|"Allow use "*|"Confirm user presence"*'
_PROGRAM = """#!/bin/sh
# usage: ask QUESTION
[ "$PPID" = "${{REMOTEJOBS_ASKER-}}" ] && [ -z "${{SSH_ASKPASS_PROMPT-}}" ] || exit 1
{wanted}
for turn in {turns}; do
    mkdir {here}/"turn-$turn" 2>/dev/null || continue
    IFS= read -r word <{here}/p || exit 1
    printf '%s\\n' "$word"
    exit 0
done
exit 1
"""
_PASSWORD = f"""case $1 in
    {_OF_SSH}) exit 1 ;;
    *"'s password: ") : >"${{0%/*}}"/asked ;;
    *) printf '%s\\n' "${{1#"("*") "}}" | grep -Eqi {shlex.quote(BY_HAND)} && exit 1 ;;
esac"""
_PIN = """case $1 in "Enter PIN for '"*) ;; *) exit 1 ;; esac"""


@contextmanager
def answering(directory: Path, word: str, *, as_pin: bool = False) -> Iterator[dict[str, str]]:
    """Have the ssh that `MARKED` begins answered with `word`; yields the environment that it needs.

    `directory` is ours alone. `as_pin`: the word opens a PKCS#11 token, once, and is given to no host. `OSError` when
    there is no room for the program.
    """
    turns = TURNS[:1] if as_pin else TURNS
    pipe, program = directory / "p", directory / "ask"
    os.mkfifo(pipe, 0o600)
    wanted = _PIN if as_pin else _PASSWORD
    here = shlex.quote(str(directory))
    program.write_text(_PROGRAM.format(wanted=wanted, here=here, turns=" ".join(map(str, turns))))
    program.chmod(0o700)
    # Open for both, so that neither side waits for the other.
    writer = os.open(pipe, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.write(writer, len(turns) * (word.encode() + b"\n"))
        yield {"SSH_ASKPASS": str(program), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
    finally:
        os.close(writer)


def check_word(host: str, word: str) -> None:
    """`UsageError` for a password that cannot be one line."""
    if re.search(r"[\r\n\0]", word):
        raise UsageError(f"{host}: ansible_password holds a line break", remedy="ssh reads one line.")


def was_asked(directory: Path) -> bool:
    """Whether the ssh that is `answering` in this directory has asked for the password of a user on the server.

    It has then accepted the server's key.
    """
    return (directory / "asked").exists()

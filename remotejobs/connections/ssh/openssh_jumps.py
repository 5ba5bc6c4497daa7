"""Whose words are those that come beside ssh's log: of an ssh to a jump host, or of any program.

The ssh to a jump host says everything on the stderr that it shares with the one that started it, the banner of the jump
host among it. It is given no options but a file; that one can make it pass on no banner.
"""

from __future__ import annotations

import re
from pathlib import Path

_USUAL = ("~/.ssh/config", "/etc/ssh/ssh_config")
# What the jump host says of the host behind it is no error to ssh.
_WHY_IT_DID_NOT_GET_ON = "LogVerbose *:channel_input_open_failure():*"
# ssh gives the name to a shell as it is, and Include takes some signs for patterns.
_PLAIN = re.compile(r"[\w./+@,:=~-]+")


def without_banners(directory: Path, config: str, *, verbose: bool) -> list[str] | None:
    """Words that make ssh, and each ssh to a jump host, say errors alone; None if that cannot be done.

    `config` counts as with -F ("": the usual files). The file lies in `directory`; a LogLevel in an argument counts
    before that in a file. `verbose`: ssh knows LogVerbose.
    """
    files = () if config == "none" else (config,) if config else _USUAL
    path = directory / "quiet"
    if not all(map(_PLAIN.fullmatch, (str(path), *files))):
        return None
    lines = [
        "LogLevel ERROR",
        *([_WHY_IT_DID_NOT_GET_ON] if verbose else []),
        *(f"Include {Path(file).absolute() if config else file}" for file in files),
    ]
    path.write_text("".join(f"{line}\n" for line in lines))
    return ["-F", str(path)]

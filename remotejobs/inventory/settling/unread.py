"""group_vars/ and host_vars/ of the current directory, which ansible-playbook reads where a playbook is."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from pathlib import Path

_SETTING = re.compile(r"^\s*[\"']?(ansible_[a-z_]+)[\"']?\s*[:=]", re.MULTILINE)
_MOST_FILES = 200
_log = logging.getLogger(__name__)


def warn_of_unread(read: Collection[Path]) -> None:
    """Say it when files there name variables of connections, and no directory of `read` is that one."""
    here = Path.cwd()
    if here in {directory.absolute() for directory in read}:
        return
    for kind in ("group_vars", "host_vars"):
        if names := _settings(here / kind):
            _log.warning(
                "%s is not read, and sets %s: give --playbook-dir . (in a flow access.playbook_dir) to read it as "
                "ansible-playbook does",
                here / kind,
                ", ".join(sorted(names)),
            )


def _settings(directory: Path) -> set[str]:
    if not directory.is_dir():
        return set()
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()][:_MOST_FILES]
    return {name for path in files for name in _SETTING.findall(_text(path))}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it is not read: that is all that has to be known
        return ""

"""Which ansible.cfg counts: the first of $ANSIBLE_CONFIG, the current directory, the home directory, /etc/ansible."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_NAME = "ansible.cfg"
_log = logging.getLogger(__name__)


def find_config() -> Path | None:
    """None when there is none; one in a directory that everybody may write to is passed over, and that is said."""
    return next((path for path in _places() if os.access(path, os.R_OK)), None)


def _places() -> Iterator[Path]:
    if named := os.environ.get("ANSIBLE_CONFIG", ""):
        path = Path(named).expanduser()
        path = path / _NAME if path.is_dir() else path
        if not os.access(path, os.R_OK):  # Ansible goes on without a word
            _log.warning("$ANSIBLE_CONFIG names %s, which cannot be read: the next ansible.cfg counts", path)
        yield path
    here = Path.cwd()
    if not here.stat().st_mode & stat.S_IWOTH:
        yield here / _NAME
    elif (here / _NAME).exists():
        _log.warning("%s is not read: everybody may write to its directory", here / _NAME)
    yield Path.home() / f".{_NAME}"
    yield Path("/etc/ansible") / _NAME

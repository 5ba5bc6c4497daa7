"""The programs that the documents show, as a reader who copies them has them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def program_in(document: str) -> str:
    """The first block of Python in one of the documents, such as README.md."""
    found = re.search(r"```python\n(.*?)```", (ROOT / document).read_text(), re.S)
    assert found
    return found[1]

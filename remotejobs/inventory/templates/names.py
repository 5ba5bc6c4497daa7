"""What a template may look up: the variables of a host, one by one. Apart from `lookups`, so that it loads no Jinja."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TemplateNames(Mapping[str, Any]):
    """`may_run`: whether its lookups may run programs and write files."""

    may_run: bool = False

    def opened(self, text: str, file: str) -> str:
        """What is in the vault that `file` holds; what comes of it is secret from then on."""
        raise NotImplementedError

"""The inventory files of a directory: what Ansible leaves out is left out, and what is no inventory at all as well."""

from __future__ import annotations

from pathlib import Path

from remotejobs.inventory.forms.ini_form import has_sections, is_settings

YAML_SUFFIXES = frozenset({".yml", ".yaml", ".json"})
_FOREIGN_NAMES = frozenset({"Makefile", "README", "LICENSE", "Dockerfile", "Vagrantfile", "Jenkinsfile"})
_IGNORED_NAMES = frozenset({"group_vars", "host_vars", "vars_plugins"})
_IGNORED_ENDS = (".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry")


def files_of(directory: Path) -> list[Path]:
    """Those of the directory and of the directories below, in the order of their names."""
    found: list[Path] = []
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or path.name in _IGNORED_NAMES or path.name.endswith(_IGNORED_ENDS):
            continue
        found += files_of(path) if path.is_dir() else [path]
    return found


def is_foreign(path: Path, text: str) -> bool:
    """Whether a file among those of a directory is no inventory at all, and not one with an error."""
    if path.suffix in YAML_SUFFIXES:
        return False
    if has_sections(text):
        return is_settings(text)
    return path.name in _FOREIGN_NAMES or path.suffix != ""

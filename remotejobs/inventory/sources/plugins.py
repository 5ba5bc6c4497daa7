"""Files that configure an inventory plugin of Ansible: Ansible is asked what they stand for, and the answer is kept."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from remotejobs.inventory.errors import InventoryError, Place
from remotejobs.inventory.forms.json_form import parse_json, read_listing
from remotejobs.inventory.reading import Reading
from remotejobs.inventory.sources.programs import printed
from remotejobs.inventory.tree import Tree

KEPT_FOR = 300.0  # seconds; a cloud is asked at most so often, and is seen at most so old
_PROGRAM = "ansible-inventory"
_BUILDING = frozenset({"constructed"})  # what they find is made of the inventories before them


def add_plugin(path: Path, name: str, tree: Tree, reading: Reading) -> None:
    """Add the hosts that the plugin `name`, configured by the file, finds. `InventoryError` without Ansible."""
    place = Place(str(path))
    program = shutil.which(_PROGRAM)
    if program is None:
        raise InventoryError(
            f"configures Ansible's inventory plugin {name!r}, for which {_PROGRAM} is needed",
            place=place,
            remedy=f"Install ansible-core and the plugin's collection: pip install ansible-core{_collection(name)}.",
        )
    before = tree.read if name.rpartition(".")[2] in _BUILDING else []
    kept = _kept_in(path)
    text = None if before else _kept(kept)
    if text is None:
        words = [
            program,
            *(word for one in (*before, str(path.absolute())) for word in ("-i", one)),
            "--list",
            "--export",
        ]
        text = printed(words, place, _environment(alone=not before), remedy=_remedy(name))
        if not before:
            _keep(kept, text)
    read_listing(parse_json(text, place), place, path, tree, reading.secrets)


def _environment(*, alone: bool) -> dict[str, str]:
    # What is beside the file is read by us: its vaults may have passwords that Ansible does not get.
    ours = {"ANSIBLE_VARS_ENABLED": "", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"}
    # No other plugin tries its luck, and says afterwards what it did not like.
    return {**os.environ, **ours, **({"ANSIBLE_INVENTORY_ENABLED": "auto"} if alone else {})}


def _remedy(name: str) -> str:
    collection = _collection(name)
    return f"Is the plugin unknown? Then{collection[1:]}. Else run it by hand." if collection else "Run it by hand."


def _collection(name: str) -> str:
    """The words that install the plugin's collection; "" where it comes with Ansible."""
    collection = ".".join(name.split(".")[:2]) if name.count(".") >= 2 else "ansible.builtin"
    return "" if collection == "ansible.builtin" else f"; ansible-galaxy collection install {collection}"


def _kept_in(path: Path) -> Path:
    """Where the answer for this file, as it is now, is kept: for this user alone."""
    import hashlib  # takes 20 ms

    base = os.environ.get("XDG_CACHE_HOME", "")
    seen = path.stat()
    key = f"{path.absolute()}\0{seen.st_mtime_ns}\0{seen.st_size}\0{seen.st_ino}"
    digest = hashlib.sha256(os.fsencode(key)).hexdigest()
    return (Path(base) if base else Path.home() / ".cache") / "remotejobs" / "inventory" / f"{digest}.json"


def _kept(path: Path) -> str | None:
    try:
        seen = path.stat()
        is_ours = seen.st_uid == os.getuid() and not seen.st_mode & 0o077
        return path.read_text() if is_ours and 0 <= time.time() - seen.st_mtime < KEPT_FOR else None
    except OSError:
        return None


def _keep(path: Path, text: str) -> None:
    """A cache that cannot be written is only slow."""
    from tempfile import NamedTemporaryFile

    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in path.parent.glob("*.json"):
            if time.time() - old.stat().st_mtime > KEPT_FOR:
                old.unlink(missing_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:  # 0600, and never half there
            file.write(text)
        Path(file.name).replace(path)

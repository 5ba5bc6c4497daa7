"""`lookup` and `query`: the environment, files, templates, variables; with leave programs and made-up passwords."""

from __future__ import annotations

import os
import secrets
import shlex
import string
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from remotejobs.inventory.templates.names import TemplateNames
from remotejobs.inventory.templates.plain import plain
from remotejobs.inventory.vault.envelope import is_vault

_SECONDS = 60.0
_MISSING = object()
_LEAVE = "needs leave: --run-lookups, or in a flow access.run_lookups"
_SETS = {
    "ascii_letters": string.ascii_letters,
    "ascii_lowercase": string.ascii_lowercase,
    "ascii_uppercase": string.ascii_uppercase,
    "digits": string.digits,
    "hexdigits": string.hexdigits,
    "punctuation": string.punctuation,
}
Fill = Callable[[str, TemplateNames], Any]


class Lookups:
    """`fill` fills in the template that a file holds."""

    def __init__(self, fill: Fill) -> None:
        self._fill = fill
        self._kinds: dict[str, Callable[..., Iterable[Any]]] = {
            "env": self._env,
            "file": self._file,
            "template": self._template,
            "vars": self._vars,
            "pipe": self._pipe,
            "password": self._password,
        }

    def query(self, names: TemplateNames, kind: str, terms: Iterable[Any], options: dict[str, Any]) -> list[Any]:
        """What the lookup finds for each term. `ValueError` says why it cannot."""
        plugin = kind.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
        if plugin not in self._kinds:
            raise ValueError(f"lookup({kind!r}) is not read here; known are {', '.join(self._kinds)}")
        words = [plain(term) for term in terms]
        if not all(isinstance(word, str) for word in words):
            raise ValueError(f"lookup({kind!r}) takes text")
        try:
            return list(self._kinds[plugin](names, words, **options))
        except TypeError as exc:
            raise ValueError(f"lookup({kind!r}) does not take {', '.join(options) or 'these words'}") from exc

    def _env(self, _: TemplateNames, terms: list[str], default: Any = "") -> Iterable[Any]:
        return (os.environ.get(str(term), default) for term in terms)

    def _file(self, names: TemplateNames, terms: list[str], rstrip: bool = True, lstrip: bool = False) -> Iterable[str]:
        for term in terms:
            text = _read("file", term, names)
            text = text.rstrip() if rstrip else text
            yield text.lstrip() if lstrip else text

    def _template(self, names: TemplateNames, terms: list[str]) -> Iterable[Any]:
        return (self._fill(_read("template", term, names), names) for term in terms)

    def _vars(self, names: TemplateNames, terms: list[str], default: Any = _MISSING) -> Iterable[Any]:
        for term in terms:
            if term not in names and default is _MISSING:
                raise ValueError(f"there is no variable {term!r}")
            yield names.get(term, default)

    def _pipe(self, names: TemplateNames, terms: list[str]) -> Iterable[str]:
        for term in terms:
            if not names.may_run:
                raise ValueError(f"lookup('pipe') runs a program, which {_LEAVE}")
            done = _run(term, str(names["playbook_dir"]))
            if done.returncode:
                raise ValueError(f"lookup('pipe'): the program ended with {done.returncode}")
            yield done.stdout.rstrip()

    def _password(self, names: TemplateNames, terms: list[str], length: int = 20, chars: Any = None) -> Iterable[str]:
        for term in terms:
            name, *words = shlex.split(term)
            given = {"length": length, "chars": chars or "ascii_letters,digits,.,:,-,_"}
            given |= dict(word.split("=", 1) for word in words if "=" in word)
            yield _kept_password(Path(str(names["playbook_dir"]), Path(name).expanduser()), given, names)


def _run(command: str, directory: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["/bin/sh", "-c", command], cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ValueError(f"lookup('pipe'): the program did not end within {_SECONDS:g} s") from exc


def _read(kind: str, term: str, names: TemplateNames) -> str:
    """A file as Ansible looks for it: below the playbook's directory, in files/ or templates/ and then there."""
    base = Path(str(names["playbook_dir"]))
    path = Path(term).expanduser()
    places = [base / f"{kind}s" / path, base / path]
    found = next((place for place in places if place.is_file()), places[-1])
    try:
        text = found.read_text(encoding="utf-8")
    except OSError as exc:
        raise ValueError(f"lookup({kind!r}, {term!r}): {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ValueError(f"lookup({kind!r}, {term!r}): it is not UTF-8 text") from exc
    return names.opened(text, str(found)) if is_vault(text) else text


def _kept_password(path: Path, given: dict[str, Any], names: TemplateNames) -> str:
    is_kept = path != Path(os.devnull)
    if is_kept and path.is_file():
        return path.read_text(encoding="utf-8").rstrip("\n").partition(" salt=")[0]
    if not names.may_run:
        raise ValueError(f"lookup('password') writes a file that is not there yet, which {_LEAVE}")
    wanted = given["chars"].split(",") if isinstance(given["chars"], str) else given["chars"]
    letters = "".join(dict.fromkeys("".join(_SETS.get(word, word) for word in wanted)))
    made = "".join(secrets.choice(letters) for _ in range(int(given["length"])))
    if is_kept:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(f"{made}\n", encoding="utf-8")
    return made


def globals_of(lookups: Lookups, scope_of: Callable[[Context], TemplateNames]) -> dict[str, Callable[..., Any]]:
    """The functions that templates call."""

    @pass_context
    def query(context: Context, kind: str, *terms: Any, wantlist: bool = True, **options: Any) -> Any:
        found = lookups.query(scope_of(context), kind, terms, options)
        if wantlist:
            return found
        if len(found) == 1:
            return found[0]
        return ",".join(found) if found and all(isinstance(item, str) for item in found) else found

    @pass_context
    def lookup(context: Context, kind: str, *terms: Any, wantlist: bool = False, **options: Any) -> Any:
        return query(context, kind, *terms, wantlist=wantlist, **options)

    return {"lookup": lookup, "query": query, "q": query}

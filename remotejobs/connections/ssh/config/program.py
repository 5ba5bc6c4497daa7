"""The settings for one host by OpenSSH's own word, `ssh -G`, for files that only OpenSSH fully knows.

Its answer costs 5 ms of processor time, more than a login. It is kept for all hosts for which the same lines count, as
long as no file changes. `ssh -G` fills in some tokens, and gives defaults like settings: what was written is found
again among the lines of the files, so that it can be filled in for each host.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from remotejobs.connections.ssh.config.answer import QueriedSettings, read_answer
from remotejobs.connections.ssh.config.blocks import ConfigDocument, Setting
from remotejobs.connections.ssh.config.settings import Gathering, HostSettings
from remotejobs.connections.ssh.config.tokens import local_user
from remotejobs.errors import UsageError

WITHIN = 60.0  # seconds; Match exec and names of hosts may ask the network
AT_ONCE = 2 * (os.cpu_count() or 1)
MOST_KEPT = 4096
NOBODY = "a-host-without-a-name"

# Of our own options only these decide which lines count; the others win whatever the files say.
_PROXIES = frozenset(["proxycommand", "proxyjump"])
_DECIDING = frozenset(["hostname", "user"]) | _PROXIES
# With these the answer may be another one although no file changed, or files are read that are not known.
_CHANGING_CRITERIA = frozenset(["exec", "localnetwork"])
_CHANGING_KEYWORDS = frozenset(["canonicalizehostname", "include"])
_OF_ITS_NAME = frozenset(["canonical", "final", "host"])

_kept: dict[tuple[object, ...], _Kept] = {}
_keeping = threading.Lock()
_asking = threading.BoundedSemaphore(AT_ONCE)


class _Kept:
    """The answer for one class of hosts; the first to want it asks, and the others of the class wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answer: QueriedSettings | None = None


@lru_cache(maxsize=8)
def _which(path: str) -> str | None:
    return shutil.which("ssh", path=path)


def program() -> str | None:
    """The ssh that PATH names."""
    return _which(os.environ.get("PATH", os.defpath))


def reads_comments() -> bool:
    """Whether a comment may follow a value, as from OpenSSH 8.7 on; to older ones its words are values."""
    ssh = program()
    return ssh is None or version_of(ssh) >= (8, 7)


@lru_cache(maxsize=8)
def version_of(ssh: str) -> tuple[int, int]:
    """OpenSSH's version by the program's own word; (0, 0) if it is another program."""
    said = subprocess.run([ssh, "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    match = re.search(r"OpenSSH\w*_(\d+)\.(\d+)", said.stderr + said.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)


@dataclass(frozen=True, slots=True)
class SettingsQuery:
    """For a host, with our own `options`, and with the files of `-F config` ("" for the usual ones) in this `home`."""

    name: str
    options: tuple[Setting, ...]
    config: str
    home: Path


def ask(document: ConfigDocument, question: SettingsQuery) -> HostSettings:
    """What `ssh -G` says, with our options before it; `UsageError` with its own words when it refuses."""
    deciding = tuple(option for option in question.options if option.key in _DECIDING)
    key = _class_of(document, question, deciding)
    answer = _asked(document, question, deciding) if key is None else _kept_or_asked(key, document, question, deciding)
    gathering = Gathering()
    # Of the two ways through another program or host, ssh -G decided which one counts.
    gathering.take(option for option in question.options if option.key not in _PROXIES)
    gathering.take(answer.settings)
    return gathering.settings()


def _class_of(
    document: ConfigDocument, question: SettingsQuery, deciding: tuple[Setting, ...]
) -> tuple[object, ...] | None:
    """All that the answer depends on; None when that is not known."""
    if document.criteria & _CHANGING_CRITERIA or document.keywords & _CHANGING_KEYWORDS:
        return None
    names = (*document.candidates.get("hostname", ()), *deciding)
    by_name = any("%" in one.values[0] for one in names if one.key == "hostname") and document.criteria & _OF_ITS_NAME
    said = tuple((option.key, option.values) for option in deciding)
    whose = question.name if by_name else document.class_of(question.name)
    return program(), document.digest, question.config, question.home, said, whose


def _kept_or_asked(
    key: tuple[object, ...], document: ConfigDocument, question: SettingsQuery, deciding: tuple[Setting, ...]
) -> QueriedSettings:
    with _keeping:
        if len(_kept) > MOST_KEPT:
            _kept.clear()
        kept = _kept.setdefault(key, _Kept())
    with kept.lock:
        if kept.answer is not None:
            return kept.answer
        answer = _asked(document, question, deciding)
        if answer.for_all:
            kept.answer = answer
    return answer


def _asked(document: ConfigDocument, question: SettingsQuery, deciding: tuple[Setting, ...]) -> QueriedSettings:
    ssh = program()
    assert ssh is not None
    with _asking, _files(document, question) as files:
        words = [*files, "-o", "RemoteCommand=none"]
        for option in deciding:
            value = option.values[0]
            words += ["-l", value] if option.key == "user" else ["-o", f"{option.key}={value}"]
        said = _run([ssh, "-G", *words, "--", question.name, "exec sh -s"], question.name, question.config)
    return read_answer(said, _defaults(ssh), document, question.name, local_user())


@lru_cache(maxsize=8)
def _defaults(ssh: str) -> str:
    return _run([ssh, "-G", "-F", "none", "--", NOBODY], "ssh")


def _run(command: list[str], name: str, config: str = "") -> str:
    by_hand = f"ssh {f'-F {shlex.quote(config)} ' if config else ''}-G {name}"
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WITHIN,
            check=False,
            errors="surrogateescape",
        )
    except subprocess.TimeoutExpired as exc:
        remedy = "Check the commands of Match exec and at the name servers."
        raise UsageError(f"{name}: `{by_hand}` did not end within {WITHIN:g} s", remedy=remedy) from exc
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip() and "terminal" not in line]
        why = "; ".join(said[-3:]).rstrip(".") or f"exit status {done.returncode}"
        raise UsageError(
            f"{name}: OpenSSH refuses its configuration: {why}", remedy=f"Correct it until `{by_hand}` works."
        )
    return done.stdout


@contextmanager
def _files(document: ConfigDocument, question: SettingsQuery) -> Iterator[list[str]]:
    """The options that make ssh read what we read: its home is that of the user database, whatever HOME is."""
    if question.config:
        yield ["-F", question.config]
        return
    if Path(local_user().pw_dir) == question.home:
        yield []
        return
    if document.relative:
        raise UsageError(
            f"{document.relative}: a relative Include cannot be followed while HOME is {question.home}, not your home",
            remedy="Write the whole path, or set HOME to your home directory.",
        )
    with tempfile.NamedTemporaryFile("w", prefix="ssh_config-") as both:
        both.write(f'Include "{question.home}/.ssh/config"\nInclude /etc/ssh/ssh_config\n')
        both.flush()
        yield ["-F", both.name]

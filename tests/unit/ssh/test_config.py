"""ssh_config is read as OpenSSH reads it, or OpenSSH is asked, or it is refused; never something else."""

from __future__ import annotations

import os
import pwd
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remotejobs.connections.ssh.config import program
from remotejobs.connections.ssh.config.arguments import Option
from remotejobs.connections.ssh.config.jumps import parse_jumps
from remotejobs.connections.ssh.config.keywords import HONOURED, RAW
from remotejobs.connections.ssh.config.lookup import Lookup, lookup
from remotejobs.connections.ssh.config.reader import read
from remotejobs.connections.ssh.config.settings import HostSettings
from remotejobs.connections.ssh.config.tokens import TokenValues, expand, host_name
from remotejobs.connections.ssh.config.words import NotPlain
from remotejobs.errors import UsageError
from tests.unit.ssh.config_cases import HOSTS, INCLUDED, LINES, OTHERS, PLAIN

LOCAL = pwd.getpwuid(os.getuid())
FILLED = {"userknownhostsfile", "globalknownhostsfile", "identityagent"}
# Whose whole list ssh -G gives.
SKIPPED = {"casignaturealgorithms", "pubkeyacceptedalgorithms"}

Printed = dict[str, tuple[str, ...]]


def openssh(config: Path | str, host: str) -> Printed | None:
    """What `ssh -G` says; None when it refuses."""
    words = ["ssh", "-G", "-F", str(config), "-o", "RemoteCommand=none", "--", host]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    printed: Printed = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        printed[key] = (*printed.get(key, ()), common(key, value))
    return printed if done.returncode == 0 else None


def common(key: str, value: str) -> str:
    try:
        return HONOURED[key]((value,))[0] if key in HONOURED and key not in RAW else value
    except NotPlain:
        return value


def ours(found: HostSettings, name: str, usual: Printed) -> Printed:
    """Our settings as `ssh -G` would print them."""
    host = host_name(found.get("hostname"), name)
    names = TokenValues(
        asked=name,
        host=host,
        port=int(found.get("port") or 22),
        user=found.get("user") or LOCAL.pw_name,
        alias=found.get("hostkeyalias").lower(),
        home=LOCAL.pw_dir,
        local=LOCAL,
    )
    printed = {key: values for key, values in usual.items() if key in HONOURED}
    for key, values in found.values.items():
        filled = "" if values == ("none",) else " ".join(expand(word, names, key) for word in values)
        printed[key] = (filled,) if key in FILLED else values
    return {
        **printed,
        "hostname": (host,),
        "hostkeyalias": (names.alias,),
        "user": (names.user,),
        "port": (str(names.port),),
    }


def same(one: Printed, other: Printed) -> None:
    for key in HONOURED.keys() - SKIPPED:
        mine, its = one.get(key, ()), other.get(key, ())
        if key == "proxyjump":
            assert parse_jumps("".join(mine), "") == parse_jumps("".join(its), ""), key
        elif key in ("hostkeyalias", "proxycommand", *FILLED):
            assert "".join(mine).replace("none", "") == "".join(its).replace("none", ""), key
        else:
            assert mine == its, key


@pytest.fixture(scope="module")
def usual() -> Printed:
    printed = openssh("none", "nobody")
    assert printed is not None
    return printed


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, text in INCLUDED.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("{here}", str(tmp_path)))
    return tmp_path


def test_sixty_files_are_read_as_openssh_reads_them(here: Path, usual: Printed) -> None:
    cases = {**PLAIN, **OTHERS}
    config = {name: here / f"config-{number}" for number, name in enumerate(cases)}
    for name, text in cases.items():
        config[name].write_bytes(text.replace("{here}", str(here)).encode())

    def compare(name: str, host: str) -> str:
        its, found = openssh(config[name], host), looked_up(host, config[name])
        if its is None or found is None:
            return "" if (its is None) is (found is None) else f"{name}, {host}: only one refuses it"
        if (found.beyond is None) is not (name in PLAIN):
            return f"{name}: {found.beyond}"
        try:
            same(ours(found.settings, host, usual), its)
        except AssertionError as exc:
            return f"{name}, {host}: {exc}"
        return ""

    assert len(cases) >= 60
    with ThreadPoolExecutor(4) as threads:
        pairs = [(name, host) for name in cases for host in HOSTS]
        assert [wrong for wrong in threads.map(lambda pair: compare(*pair), pairs) if wrong] == []


def looked_up(host: str, config: Path) -> Lookup | None:
    try:
        return lookup(host, (), str(config))
    except UsageError:
        return None


def test_any_plain_file_is_read_as_openssh_reads_it_and_as_it_is_read_through_openssh(
    here: Path, usual: Printed
) -> None:
    """Generated in one go: every example costs a call of ssh, and a test framework around each costs more."""
    names = st.sampled_from(
        ["db1", "db2", "web1", "WEB1", "*", "db*", "?b1", "!db1", "!web*", "db1.example.com", "10.*"]
    )
    lists = st.lists(names, min_size=1, max_size=3).map(",".join)
    criteria = st.lists(
        st.tuples(
            st.sampled_from(["host", "originalhost", "user", "localuser", "!host", "!user"]), lists | st.just("root,me")
        ).map(" ".join)
        | st.sampled_from(["final", "canonical", "!final"]),
        min_size=1,
        max_size=3,
    ).map(" ".join)
    heads = (
        st.lists(names, min_size=1, max_size=3).map(lambda words: f"Host {' '.join(words)}")
        | criteria.map(lambda words: f"Match {words}")
        | st.just("Match final all")
    )
    lines = st.sampled_from(LINES.replace("{here}", str(here)).splitlines())
    blocks = st.tuples(heads, st.lists(lines, max_size=4)).map(lambda block: "\n".join([block[0], *block[1]]))
    files = st.tuples(st.lists(lines, max_size=2), st.lists(blocks, max_size=4)).map(
        lambda parts: "\n".join([*parts[0], *parts[1]]) + "\n"
    )
    path = here / "generated"

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(files, st.sampled_from(HOSTS))
    def alike(text: str, host: str) -> None:
        path.write_text(text)
        found, its = looked_up(host, path), openssh(path, host)
        assert found is not None and found.beyond is None and its is not None
        same(ours(found.settings, host, usual), its)
        asked = program.ask(read(str(path), here), program.SettingsQuery(host, (), str(path), Path(LOCAL.pw_dir)))
        same(ours(asked, host, usual), its)

    alike()


def test_one_answer_serves_all_hosts_for_which_the_same_lines_count(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = here / "classes"
    config.write_text(
        "Host db*\n  User \"d b\"\n  HostName %h.example.com\n  IdentityFile 'a'\nHost web1\n  Port 2201\n"
    )
    asked: list[str] = []
    run = program._run

    def note(words: list[str], name: str, config: str = "") -> str:
        asked.append(name)
        return run(words, name, config)

    monkeypatch.setattr(program, "_run", note)

    found = {name: lookup(name, (), str(config)).settings for name in ("db1", "db2", "web1", "web2", "web3", "db3")}
    ports = [lookup("db4", (Option("port", str(port), "here"),), str(config)).settings.get("port") for port in (1, 2)]

    assert [name for name in asked if name != "ssh"] == ["db1", "web1", "web2"]
    assert (host_name(found["db2"].get("hostname"), "db2"), found["web1"].get("port")) == ("db2.example.com", "2201")
    assert ports == ["1", "2"]
    config.write_text(config.read_text().replace("2201", "2202"))
    assert lookup("web1", (), str(config)).settings.get("port") == "2202"


def test_what_openssh_refuses_is_reported_with_the_command_that_shows_it(here: Path) -> None:
    config = here / "a config"
    config.write_text("Match nonsense\n  Port 2201\n")

    with pytest.raises(UsageError, match=rf"db1: .*line 1: Bad Match.*until `ssh -F '{config}' -G db1` works"):
        lookup("db1", (), str(config))


def test_the_answer_of_a_command_is_never_kept(here: Path) -> None:
    config, flag = here / "commands", here / "flag"
    config.write_text(f'Match exec "test -e {flag}"\n  Port 2201\n')

    assert lookup("db1", (), str(config)).settings.get("port") == ""
    flag.touch()
    assert lookup("db1", (), str(config)).settings.get("port") == "2201"


def test_without_openssh_all_that_is_not_surely_known_is_refused_by_name(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(here))
    for number, (name, text) in enumerate({**PLAIN, **OTHERS}.items()):
        path = here / f"config-{number}"
        path.write_bytes(text.replace("{here}", str(here)).encode())
        if name in PLAIN:
            assert lookup("db1", (), str(path)).beyond is None, name
        else:
            with pytest.raises(
                UsageError, match=rf"{path}:\d+: .* is more than is surely understood here without OpenSSH"
            ):
                lookup("db1", (), str(path))


def test_a_comment_is_left_to_an_openssh_that_takes_its_words_for_values(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = here / "commented"
    config.write_text("Host web1 # twin of db1\n  Port 2201\n")
    assert lookup("db1", (), str(config)).beyond is None
    monkeypatch.setattr(program, "reads_comments", lambda: False)
    assert lookup("db1", (), str(config)).beyond is not None


def test_a_file_that_others_may_write_is_not_read(here: Path) -> None:
    (here / ".ssh").mkdir()
    path = here / ".ssh" / "config"
    path.write_text("Port 1\n")
    path.chmod(0o666)

    with pytest.raises(UsageError, match=rf"{path} can be written by others"):
        lookup("db1", (), "")


def test_each_setting_says_where_it_came_from(here: Path) -> None:
    config = here / "config"
    config.write_text(f"Host db1\n  Port 2201\nInclude {here}/more\n")
    found = lookup("db1", (Option("user", "me", "db1: ansible_user"),), str(config)).settings

    assert found.places == {"port": (f"{config}:2",), "user": ("db1: ansible_user",)}

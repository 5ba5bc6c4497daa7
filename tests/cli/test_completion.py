"""What shells complete, and the manual page: made from the options that there are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from remotejobs.cli.described import commands_of
from remotejobs.cli.main import COMMANDS, build_parser
from tests.cli.running import remotejobs
from tests.cli.terminal import on_terminal


def script(shell: str, directory: Path) -> Path:
    path = directory / f"remotejobs.{shell}"
    path.write_text(remotejobs("completion", shell).out)
    return path


def printed_by(*words: str) -> list[str]:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def in_bash(path: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    line = " ".join(f"'{word}'" for word in words)
    ask = f"source {path}; COMP_WORDS=(remotejobs {line}); COMP_CWORD={len(words)}; _remotejobs"
    return printed_by("bash", "--norc", "-c", f'{ask}; printf "%s\\n" "${{COMPREPLY[@]}}"')


def in_fish(path: Path, line: str) -> list[str]:
    asked = printed_by("fish", "--no-config", "-c", f"source {path}; complete -C 'remotejobs {line}'")
    return [offer.partition("\t")[0] for offer in asked]


def test_bash_completes_commands_options_and_values(tmp_path: Path) -> None:
    path = script("bash", tmp_path)
    assert in_bash(path, "wa") == ["wait", "watch"]
    assert in_bash(path, "run", "all", "--fo") == ["--forks", "--fold"]
    assert in_bash(path, "backups", "re") == ["restore"]
    assert "--database" in in_bash(path, "backups", "restore", "all", "--da")
    assert in_bash(path, "run", "all", "--launcher", "sys") == ["systemd"]
    assert in_bash(path, "run", "all", "--", "ls", "--f") == [""]  # the command's own words


def test_fish_completes_them_and_says_what_they_are_for(tmp_path: Path) -> None:
    path = script("fish", tmp_path)
    assert sorted(in_fish(path, "wa")) == ["wait", "watch"]
    assert "--fold" in in_fish(path, "run all --fo")
    assert "systemd" in in_fish(path, "run all --launcher sy")
    assert in_fish(path, "backups re") == ["restore"]


def test_zsh_can_read_its_script_which_names_every_option(tmp_path: Path) -> None:
    path = script("zsh", tmp_path)
    assert printed_by("zsh", "-n", str(path)) == []
    for command in commands_of(build_parser()):
        assert all(name in path.read_text() for option in command.options for name in option.names)


@pytest.mark.timeout(120)
def test_zsh_completes_them_at_its_prompt_and_says_what_they_are_for(tmp_path: Path) -> None:
    script("zsh", tmp_path).rename(tmp_path / "_remotejobs")
    begin = f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D; print RE''ADY\n"
    code, _ = on_terminal(
        "-f",
        "-i",
        program=("zsh",),
        steps=[
            (r"[%#] ", begin.encode()),
            ("READY", b"remotejobs wa\t"),
            (r"watch +-- ", b"\x15remotejobs backups re\t"),
            ("store", b"\x15remotejobs run all --launcher sys\t"),
            ("temd", b"\x15remotejobs backups restore all --data\t"),
            ("base", b"\x15exit\n"),
        ],
    )
    assert code == 0


def test_every_command_is_described() -> None:
    words = {command.words.split()[0] for command in commands_of(build_parser())}
    assert words == set(COMMANDS)


@pytest.mark.parametrize("words", ["run", "backups restore", "kill"])
def test_the_manual_has_each_command_and_its_options(words: str, tmp_path: Path) -> None:
    page = tmp_path / "remotejobs.1"
    page.write_text(remotejobs("manual").out)
    assert printed_by("groff", "-man", "-ww", "-z", str(page)) == []
    shown = "\n".join(printed_by("groff", "-man", "-Tascii", "-P-cbou", str(page)))
    (command,) = [each for each in commands_of(build_parser()) if each.words == words]
    assert f"remotejobs {words} PATTERN" in shown
    assert all(name in shown for option in command.options for name in option.names)

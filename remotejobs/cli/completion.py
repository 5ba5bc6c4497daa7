"""Completion for shells, made from the options that there are: `remotejobs completion bash`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from remotejobs.cli.described import Command, Option


def script_for(shell: str, commands: Sequence[Command]) -> str:
    """What the shell is to read."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands)


def _first_words(commands: Iterable[Command]) -> list[str]:
    return list(dict.fromkeys(command.words.split()[0] for command in commands))


def _nested(commands: Iterable[Command]) -> dict[str, list[str]]:
    """The second words of those first words that have any."""
    found: dict[str, list[str]] = {}
    for command in commands:
        first, _, second = command.words.partition(" ")
        if second:
            found.setdefault(first, []).append(second)
    return found


def _bash(commands: Sequence[Command]) -> str:
    nested = _nested(commands)
    options = [
        f"        {shlex.quote(command.words)}) options={shlex.quote(' '.join(_names(command)))} ;;"
        for command in commands
    ]
    choices = [
        f"        {shlex.quote(f'{command.words} {name}')}) choices={shlex.quote(' '.join(option.choices))} ;;"
        for command in commands
        for option in command.options
        if option.choices
        for name in option.names
    ]
    seconds = [f"        {first}) nested={shlex.quote(' '.join(words))} ;;" for first, words in nested.items()]
    first = shlex.quote(" ".join([*_first_words(commands), "--help", "--version"]))
    return "\n".join(
        [
            "# Completion of remotejobs for bash: source it, or see `remotejobs completion --help`.",
            "_remotejobs() {",
            "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}",
            "    local options='' choices='' nested='' word",
            "    COMPREPLY=()",
            '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do [[ $word == -- ]] && return; done',
            "    if ((COMP_CWORD == 1)); then",
            f'        COMPREPLY=($(compgen -W {first} -- "$cur"))',
            "        return",
            "    fi",
            "    case $command in",
            *seconds,
            "    esac",
            "    if [[ $nested ]]; then",
            "        if ((COMP_CWORD == 2)); then",
            '            COMPREPLY=($(compgen -W "$nested" -- "$cur"))',
            "            return",
            "        fi",
            '        command="$command ${COMP_WORDS[2]}"',
            "    fi",
            '    case "$command $prev" in',
            *choices,
            "    esac",
            "    if [[ $choices ]]; then",
            '        COMPREPLY=($(compgen -W "$choices" -- "$cur"))',
            "    elif [[ $cur == -* ]]; then",
            '        case "$command" in',
            *(f"    {line}" for line in options),
            "        esac",
            '        COMPREPLY=($(compgen -W "$options" -- "$cur"))',
            "    fi",
            "}",
            "complete -o default -F _remotejobs remotejobs",
            "",
        ]
    )


def _names(command: Command) -> list[str]:
    return [name for option in command.options for name in option.names]


def _zsh(commands: Sequence[Command]) -> str:
    nested = _nested(commands)
    purposes = {command.words: command.purpose for command in commands}
    lines = [
        "#compdef remotejobs",
        "# Completion of remotejobs for zsh: put it as _remotejobs into a directory of $fpath.",
        "_remotejobs() {",
        "    local -a found",
        "    if ((CURRENT == 2)); then",
        f"        found=({_described((word, purposes.get(word, '')) for word in _first_words(commands))})",
        "        _describe command found",
        "        return",
        "    fi",
        "    local command=$words[2]",
    ]
    for first, seconds in nested.items():
        described = _described((word, purposes[f"{first} {word}"]) for word in seconds)
        lines += [
            f"    if [[ $command == {first} ]]; then",
            f"        if ((CURRENT == 3)); then found=({described}); _describe command found; return; fi",
            '        command="$command $words[3]"',
            "        shift words; ((CURRENT--))",
            "    fi",
        ]
    lines += ["    shift words; ((CURRENT--))", '    case "$command" in']
    for command in commands:
        specs = [_zsh_spec(option) for option in command.options]
        lines.append(f"        {shlex.quote(command.words)}) _arguments -S {' '.join(specs)} '*: :_files' ;;")
    return "\n".join([*lines, "    esac", "}", '_remotejobs "$@"', ""])


def _described(words: Iterable[tuple[str, str]]) -> str:
    return " ".join(shlex.quote(f"{word}:{purpose}") for word, purpose in words)


def _zsh_spec(option: Option) -> str:
    text = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    value = ""
    if option.value:
        what = f"({' '.join(option.choices)})" if option.choices else "_files"
        value = f":{option.value.replace(':', '')}:{what}"
    group = f"({' '.join(option.names)})" if len(option.names) > 1 else ""
    return " ".join(shlex.quote(f"{group}{name}[{text}]{value}") for name in option.names)


def _fish(commands: Sequence[Command]) -> str:
    nested = _nested(commands)
    lines = [
        "# Completion of remotejobs for fish: put it as remotejobs.fish into ~/.config/fish/completions/.",
        "function __remotejobs_at",
        "    set -l words (commandline -opc)",
        "    test (count $words) -ge (math (count $argv) + 1); or return 1",
        '    test "$words[2.."(math (count $argv) + 1)"]" = "$argv"; and not contains -- -- $words',
        "end",
        "function __remotejobs_next",
        "    set -l words (commandline -opc)",
        '    test (count $words) -eq (math (count $argv) + 1); and test "$words[2..]" = "$argv"',
        "end",
    ]
    purposes = {command.words: command.purpose for command in commands}
    beginning = "test (count (commandline -opc)) -eq 1"
    lines += [_fish_line(beginning, "-f", "-a", word, "-d", purposes.get(word, "")) for word in _first_words(commands)]
    for first, seconds in nested.items():
        for word in seconds:
            what = purposes[f"{first} {word}"]
            lines.append(_fish_line(f"__remotejobs_next {first}", "-f", "-a", word, "-d", what))
    for command in commands:
        for option in command.options:
            names = [part for name in option.names for part in _fish_name(name)]
            value = ["-x", "-a", " ".join(option.choices)] if option.choices else ["-r"] if option.value else []
            lines.append(_fish_line(f"__remotejobs_at {command.words}", *names, *value, "-d", option.help))
    return "\n".join([*lines, ""])


def _fish_name(name: str) -> list[str]:
    return ["-l", name[2:]] if name.startswith("--") else ["-s", name[1:]]


def _fish_line(condition: str, *words: str) -> str:
    return " ".join(["complete", "-c", "remotejobs", "-n", _fish_quoted(condition), *map(_fish_quoted, words)])


def _fish_quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"

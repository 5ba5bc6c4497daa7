"""The upstreams in a configuration file of nginx: which servers they have, and the same text with one marked `down`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

# nginx's own words: a comment, an end of a directive, a quoted word, a bare one.
_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    | (?P<mark>[;{}])
    | (?P<word>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | (?:\\.|\$\{|[^\s;{}"'\\])(?:\\.|\$\{|[^\s;{}\\])*)""",
    re.VERBOSE | re.DOTALL,
)
_DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamServer:
    """One `server` of one `upstream`. `end` is where its last word ends in the text; `marks` where `down` stands."""

    upstream: str
    address: str
    backup: bool
    end: int
    marks: tuple[tuple[int, int], ...]

    @property
    def down(self) -> bool:
        """Whether it is marked so that it gets no requests."""
        return bool(self.marks)

    @property
    def path(self) -> str:
        return f"{self.upstream}/{self.address}"


def upstream_servers(text: str) -> tuple[UpstreamServer, ...]:
    """All servers of all upstreams in `text`, in its order."""
    found: list[UpstreamServer] = []
    blocks: list[list[str]] = []
    words: list[re.Match[str]] = []
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "word":
            words.append(token)
        elif token.lastgroup == "mark":
            said = [_unquoted(word[0]) for word in words]
            if token[0] == ";" and blocks and blocks[-1][:1] == ["upstream"] and said[:1] == ["server"]:
                found.extend(_server(blocks[-1], said, words))
            elif token[0] == "{":
                blocks.append(said)
            elif token[0] == "}" and blocks:
                blocks.pop()
            words = []
    return tuple(found)


def _server(block: list[str], said: list[str], words: list[re.Match[str]]) -> Iterator[UpstreamServer]:
    if len(block) > 1 and len(said) > 1:
        yield UpstreamServer(
            upstream=block[1],
            address=said[1],
            backup="backup" in said[2:],
            end=words[-1].end(),
            marks=tuple(word.span() for word, word_said in zip(words[2:], said[2:], strict=True) if word_said == _DOWN),
        )


def _unquoted(word: str) -> str:
    return word[1:-1] if word[0] in "\"'" else word


def marked(text: str, servers: Iterable[UpstreamServer], down: Callable[[UpstreamServer], bool]) -> str:
    """`text` with each of its `servers` marked `down` where that is so, and without the mark elsewhere.

    Nothing else is changed.
    """
    for server in sorted(servers, key=lambda each: each.end, reverse=True):
        if down(server) and not server.down:
            text = f"{text[: server.end]} {_DOWN}{text[server.end :]}"
        elif not down(server):
            for start, end in reversed(server.marks):
                text = f"{text[:start].rstrip()}{text[end:]}"
    return text

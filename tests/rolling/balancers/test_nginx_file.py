"""The file of an nginx: servers are found as nginx reads it, and nothing but the mark is changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.operations.balancers.nginx_file import marked, upstream_servers

FILE = """\
# upstream old { server 10.0.0.9:80; }
upstream app {
    zone app 64k;                  # server 10.0.0.8:80;
    server 10.0.0.1:80 weight=5;
    server 10.0.0.2:80 max_fails=3 down ; server "10.0.0.3:80" backup;
    keepalive 16;
}
upstream api { least_conn; server 10.0.0.1:80
    fail_timeout=5s; }
server { listen 80; server_name app; location ~ "^/a{2}" { proxy_pass http://app; set $x ${y}; } }
"""


def test_the_servers_of_every_upstream_are_found_and_nothing_in_comments_or_elsewhere() -> None:
    assert [(each.path, each.down, each.backup) for each in upstream_servers(FILE)] == [
        ("app/10.0.0.1:80", False, False),
        ("app/10.0.0.2:80", True, False),
        ("app/10.0.0.3:80", False, True),
        ("api/10.0.0.1:80", False, False),
    ]


def test_a_server_is_marked_wherever_it_is_one_and_unmarked_without_a_trace() -> None:
    own = [each for each in upstream_servers(FILE) if each.address == "10.0.0.1:80"]
    out = marked(FILE, own, lambda _: True)
    assert "    server 10.0.0.1:80 weight=5 down;\n" in out
    assert "    fail_timeout=5s down; }\n" in out
    back = [each for each in upstream_servers(out) if each.address == "10.0.0.1:80"]
    assert marked(out, back, lambda _: False) == FILE


def test_a_mark_of_somebody_else_can_be_taken_off() -> None:
    (down,) = [each for each in upstream_servers(FILE) if each.down]
    assert "server 10.0.0.2:80 max_fails=3 ; server" in marked(FILE, [down], lambda _: False)


words = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"]), max_size=12)


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,5}:[0-9]{1,4}", fullmatch=True), st.booleans()), max_size=6), words)
@pytest.mark.parametrize("apart", ["\n    ", " ", "\n"])
def test_to_mark_and_to_unmark_changes_nothing(apart: str, servers: list[tuple[str, bool]], comment: str) -> None:
    lines = [f"server {address}{' backup' if backup else ''}; # {comment}\n" for address, backup in servers]
    text = f"# {comment}\nupstream app {{{apart}{apart.join(lines)}}}\n"
    found = upstream_servers(text)
    assert [(each.address, each.backup) for each in found] == servers
    out = marked(text, found, lambda _: True)
    assert all(each.down for each in upstream_servers(out))
    assert marked(out, upstream_servers(out), lambda _: False) == text

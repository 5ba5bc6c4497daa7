"""Who may look and who may act: asked by name, logged in, from the page itself."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from remotejobs.errors import UsageError
from remotejobs.model import Job
from remotejobs.testing import FakeHosts, Plan
from remotejobs.web.guard import Sessions
from remotejobs.web.serve import Place, listening, token_of
from tests.awaiting import await_true
from tests.web.serving import COOKIE, TOKEN, Served, served


@pytest.fixture
def looking(real_time: FakeHosts) -> Iterator[Served]:
    with served(real_time, "db1,") as page:
        yield page


@pytest.fixture
def acting(real_time: FakeHosts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A page that may end jobs; one runs on db1."""
    monkeypatch.setattr("remotejobs.web.guard.WRONG_PAUSE", 0.0)
    real_time.plan("dump", Plan(lasts=None))
    with served(real_time, "db1,", actions=True) as page:
        page.board.live.fleet.jobs("db1").start(Job(jid="dump", cmd="dump"))
        yield page


def session(page: Served) -> str:
    assert page.sessions
    return page.sessions.begin()


def test_a_name_that_is_not_ours_gets_nothing_so_no_other_site_can_lead_a_browser_here(looking: Served) -> None:
    for path in ("/", "/events", "/static/fleet.js", "/login"):
        assert looking.ask(path, headers={"Host": "evil.example"}).status == 421
        assert looking.ask(path, headers={"Host": f"127.0.0.1.evil.example:{looking.port}"}).status == 421
    for name in (f"localhost:{looking.port}", "127.0.0.1", f"[::1]:{looking.port}"):
        assert looking.ask("/", headers={"Host": name}).status == 200


def test_on_this_machine_no_login_is_needed_to_look_and_there_is_nothing_to_post(looking: Served) -> None:
    assert looking.ask("/").status == 200
    origin = {"Origin": looking.url, "Sec-Fetch-Site": "same-origin"}
    assert looking.ask("/kill", "POST", origin, host="db1", jid="dump").status == 404


def test_every_answer_forbids_scripts_and_frames_of_others_and_markup_from_text(looking: Served) -> None:
    for path in ("/", "/events", "/nowhere"):
        headers = looking.ask(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
        assert "require-trusted-types-for 'script'" in policy and "frame-ancestors 'none'" in policy
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")


def test_without_a_login_a_page_that_may_act_shows_nothing(acting: Served) -> None:
    page = acting.ask("/")
    assert (page.status, page.headers["Location"]) == (303, "/login")
    for path in ("/events", "/output?host=db1&jid=dump", f"/runs/{'0' * 8}/again"):
        assert acting.ask(path).status == 401
        assert (
            acting.ask(path, headers={"Cookie": f"{COOKIE}=guessed", "Authorization": "Bearer guessed"}).status == 401
        )


def test_the_printed_link_logs_in_once_and_leaves_no_secret_in_an_address(acting: Served) -> None:
    path = acting.link.removeprefix(acting.url)
    first, second = acting.ask(path), acting.ask(path)
    assert (first.status, first.headers["Location"]) == (303, "/")
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and TOKEN not in cookie
    assert acting.ask("/", headers={"Cookie": cookie.partition(";")[0]}).status == 200
    assert (second.status, second.headers["Set-Cookie"]) == (403, None)


def test_the_token_logs_in_by_the_form_and_as_a_bearer_and_a_wrong_one_does_not(acting: Served) -> None:
    origin = {"Origin": acting.url}
    assert acting.ask("/login", "POST", origin, token=TOKEN[:-1]).status == 403
    good = acting.ask("/login", "POST", origin, token=TOKEN)
    assert good.status == 303 and good.headers["Set-Cookie"]
    assert acting.ask("/events", headers={"Authorization": f"Bearer {TOKEN}"}).status == 200


def test_a_wrong_token_costs_the_same_whichever_way_it_comes(acting: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[str] = []

    async def pause(_sessions: Sessions) -> None:
        paused.append("paused")

    monkeypatch.setattr(Sessions, "pause", pause)
    assert acting.ask("/login", "POST", {"Origin": acting.url}, token="guessed").status == 403
    assert acting.ask("/events", headers={"Authorization": "Bearer guessed"}).status == 401
    assert paused == ["paused", "paused"]
    assert acting.ask("/events", headers={"Authorization": f"Bearer {TOKEN}"}).status == 200
    assert acting.ask("/events").status == 401
    assert paused == ["paused", "paused"]


def test_who_came_for_the_jobs_of_a_run_gets_them_after_the_login_and_is_led_nowhere_else(acting: Served) -> None:
    sent = acting.ask("/?run=a%26b&host=db1").headers["Location"]
    form = acting.ask(sent).read().decode()
    action = html.unescape(form.partition('action="')[2].partition('"')[0])
    assert acting.ask(action, "POST", {"Origin": acting.url}, token=TOKEN).headers["Location"] == "/?run=a%26b&host=db1"
    for to in ("//evil.example", "%0d%0aSet-Cookie:%20a=b", '"><script>'):
        answer = acting.ask(f"/login?to={quote(unquote(to))}", "POST", {"Origin": acting.url}, token=TOKEN)
        assert answer.headers["Location"].startswith("/?")
        assert len(answer.headers.get_all("Set-Cookie", [])) == 1
    markup = quote('"><script>')
    assert "<script>" not in acting.ask(f"/login?to={markup}").read().decode()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "{url}", "Sec-Fetch-Site": "cross-site", "X-CSRF-Token": "{csrf}"},
        {"Origin": "http://127.0.0.1:1", "X-CSRF-Token": "{csrf}"},
        {"Origin": "{url}"},
        {"Origin": "{url}", "X-CSRF-Token": "guessed"},
        {"Origin": "{url}", "X-CSRF-Token": "{other}"},
    ],
)
def test_a_post_that_does_not_come_from_the_page_with_its_token_changes_nothing(
    acting: Served, headers: dict[str, str]
) -> None:
    assert acting.sessions
    mine = session(acting)
    words = {"url": acting.url, "csrf": acting.sessions.csrf(mine), "other": acting.sessions.csrf(session(acting))}
    given = {name: value.format(**words) for name, value in headers.items()}
    refused = acting.ask("/kill", "POST", {"Cookie": f"{COOKIE}={mine}", **given}, host="db1", jid="dump")
    assert refused.status == 403
    assert not acting.board.live.fleet.jobs("db1").record("dump").finished


def test_after_the_logout_the_session_holds_no_more(acting: Served) -> None:
    assert acting.sessions
    mine = session(acting)
    headers = {"Cookie": f"{COOKIE}={mine}", "Origin": acting.url, "X-CSRF-Token": acting.sessions.csrf(mine)}
    assert acting.ask("/logout", "POST", headers).status == 204
    assert acting.ask("/events", headers=headers).status == 401


def test_a_token_that_others_may_read_or_guess_is_refused_by_the_name_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o644)
    with pytest.raises(UsageError, match=r"others may read the token in .*/token\. chmod 600"):
        token_of(Place(token_file=str(path)))
    path.chmod(0o600)
    assert token_of(Place(token_file=str(path))) == TOKEN
    path.write_text("short\n")
    with pytest.raises(UsageError, match="is too short"):
        token_of(Place(token_file=str(path)))


def test_a_port_that_is_taken_is_said_before_anything_is_asked(looking: Served) -> None:
    with pytest.raises(UsageError, match=f"port {looking.port}: Address already in use. Choose another with --port"):
        listening(Place(port=looking.port))


def test_a_page_that_is_open_gets_nothing_more_once_its_session_has_ended(
    acting: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remotejobs.web.stream.ALIVE", 0.1)
    assert acting.sessions
    mine = session(acting)
    stream = acting.stream("/events", Cookie=f"{COOKIE}={mine}")
    stream.named("hosts")
    acting.sessions.end(mine)
    with pytest.raises(AssertionError, match="it ended"):
        stream.until(lambda *_: False)


def test_pages_that_are_closed_make_room_for_others_and_too_many_are_refused(
    looking: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remotejobs.web.app.STREAMS", 2)
    first, second = looking.ask("/events"), looking.ask("/events")
    for stream in (first, second):
        assert stream.readline()
    refused = looking.ask("/events")
    assert (refused.status, refused.read()) == (503, b"2 pages and outputs are open already: close some.\n")
    first.close()
    await_true(lambda: looking.ask("/events").status == 200)


def test_the_token_is_not_in_the_environment_of_what_is_started_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMOTEJOBS_WEB_TOKEN", TOKEN)
    assert token_of(Place()) == TOKEN
    assert "REMOTEJOBS_WEB_TOKEN" not in os.environ

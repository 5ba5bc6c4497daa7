"""The live page in a real browser: 200 hosts, a hostile one among them, by keyboard and on a phone."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from lab.screenshots.pictures import browser
from remotejobs.errors import AuthenticationFailed
from remotejobs.inventory import load_inventory
from remotejobs.jobs.fleet import Fleet
from remotejobs.model import Job
from remotejobs.testing import FakeHosts, Plan
from tests.web.serving import Served, served

pytestmark = pytest.mark.slow

LONG = "a-host-with-a-long-name.of-a-long-subdomain.example.com"
HOSTS = [LONG] + [f"web{number}" for number in range(2, 181)] + [f"db{number}" for number in range(1, 21)]
RUN = "0e9d3a0a-1111-4222-8333-123456789abc"
EVIL = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def fake() -> FakeHosts:
    fake = FakeHosts(Plan(stdout="up 3 days\n"), real_time=True)
    fake.says("lk_check", "path /l\nfree\nanswered")
    fake.says("ct_list", "answered")
    fake.plan("vacuumdb", Plan(lasts=None, stdout="vacuuming orders\n", stderr="a warning\n"))
    fake.plan("vacuumdb", Plan(rc=1, stderr="No space left on device\n"), on="db[34]")
    fake.plan("longest", Plan(lasts=None))
    fake.plan("nasty", Plan(rc=1, stdout=f"{EVIL}\n", stderr=f"{EVIL}\n"), on="web7")
    fake.plan("reindex", Plan(lasts=None))
    with Fleet(load_inventory(",".join(HOSTS)).select("all"), connect=fake.connect) as fleet:

        def start(job: Job, like: str) -> None:
            names = [name for name in HOSTS if fnmatchcase(name, like)]
            assert all(result.value for result in fleet.each(lambda jobs: jobs.start(job), names))

        start(Job(jid="longest", cmd="longest"), LONG)
        start(Job(jid="uptime", cmd="uptime", label="uptime"), "*")
        start(Job(jid="vacuum", cmd="vacuumdb --all", label="vacuum"), "db*")
        start(Job(jid="nasty", cmd="nasty", label=EVIL), "web7")
        start(Job(jid=f"reindex.0123.{RUN}", cmd="reindex", label="reindex"), "db1*")
    fake.host("web9").unreachable(AuthenticationFailed, "the key was refused")
    return fake


@pytest.fixture(scope="module")
def site(fake: FakeHosts) -> Iterator[Served]:
    with served(fake, ",".join(HOSTS), actions=True) as site:
        yield site


@pytest.fixture(scope="module")
def opened(site: Served) -> Iterator[Page]:
    with browser() as page:
        page.goto(site.link)
        yield page


@pytest.fixture
def page(opened: Page, site: Served) -> Iterator[Page]:
    """Logged in, with the jobs there; what the browser complains of fails the test."""
    said: list[str] = []
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.set_viewport_size(DESK)
    opened.goto(site.url)
    expect(opened.locator("#filters [data-name=succeeded] b")).to_have_text("199", timeout=20_000)
    yield opened
    assert said == []


def row(page: Page, host: str, job: str) -> Locator:
    line = page.locator("#jobs tbody tr").filter(has=page.get_by_role("link", name=host, exact=True))
    return line.filter(has=page.get_by_role("link", name=job, exact=True))


def test_what_went_wrong_stands_first_with_its_reason_and_what_needs_a_person_above(page: Page) -> None:
    expect(page.locator("#link")).to_have_text("live")
    first = page.locator("#jobs tbody tr").first
    expect(first).to_contain_text("failed")
    expect(row(page, "db3", "vacuum")).to_contain_text("No space left on device")
    needs = page.get_by_role("region", name="Needs a person (1)")
    expect(needs).to_contain_text("web9 the key was refused Check ansible_user and the key")
    expect(page.locator("#map a")).to_have_count(200)
    expect(page.locator("#map a.failed")).to_have_count(3)
    expect(page.get_by_role("link", name="db3: failed")).to_have_class("failed")
    page.locator("#map a.failed").first.hover()
    expect(page.locator("#map-words")).to_have_text("web7: failed")


def test_what_hosts_wrote_is_shown_as_text_and_does_nothing(page: Page) -> None:
    row(page, "web7", EVIL).get_by_role("link", name=EVIL, exact=True).click()
    expect(page.locator("#stdout")).to_have_text(EVIL)
    expect(page.locator("#stderr")).to_have_text(EVIL)
    expect(page.locator("#job-name")).to_have_text(f"{EVIL} on web7")
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    assert "taken" not in page.title()


def test_a_change_is_seen_without_touching_the_page(page: Page, fake: FakeHosts) -> None:
    expect(row(page, "db20", "vacuum")).to_contain_text("vacuuming orders")
    row(page, "db20", "vacuum").get_by_role("link", name="vacuum").click()
    expect(page.locator("#stdout")).to_have_text("vacuuming orders\n")
    expect(page.locator("#stderr")).to_have_text("a warning\n")
    fake.writes("vacuum", "vacuuming items\n", on="db20")
    expect(page.locator("#stdout")).to_have_text("vacuuming orders\nvacuuming items\n")
    fake.ends("vacuum", 2, on="db20", stderr="cannot connect\n")
    expect(page.locator("#stderr")).to_have_text("a warning\ncannot connect\n")
    expect(page.locator("#job-state")).to_contain_text("failed")
    page.keyboard.press("Escape")
    expect(row(page, "db20", "vacuum")).to_contain_text("cannot connect")


def test_the_keyboard_is_enough_to_find_a_job_read_it_and_come_back(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("vacuum db1")
    expect(page.locator("#jobs tbody tr")).to_have_count(11)  # and db10 to db19
    expect(row(page, "web7", EVIL)).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#job")).to_be_visible()
    expect(page.locator("#job-name")).to_be_focused()
    expect(page.locator("#job-name")).to_contain_text("vacuum on db1")
    page.keyboard.press("Escape")
    expect(page.locator("#job")).to_be_hidden()
    expect(page.locator("#jobs a.open:focus")).to_have_text("vacuum")


def test_on_a_phone_nothing_is_cut_off_at_the_side(page: Page) -> None:
    page.set_viewport_size(PHONE)
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not page.evaluate(wide)
    row(page, "db3", "vacuum").get_by_role("link", name="vacuum").click()
    expect(page.locator("#stderr")).to_be_visible()
    assert not page.evaluate(wide)
    out, err = page.locator("#stdout").bounding_box(), page.locator("#stderr").bounding_box()
    assert out and err and err["y"] >= out["y"] + out["height"]  # one below the other
    page.keyboard.press("Escape")


def test_the_jobs_of_one_run_have_an_address_and_so_has_one_host(page: Page, site: Served) -> None:
    page.goto(f"{site.url}/?run={RUN}")
    expect(page.locator("#jobs tbody tr")).to_have_count(11)  # db1 and db10 to db19
    expect(page.locator("#scope")).to_contain_text(RUN)
    page.goto(f"{site.url}/?host=db3")
    expect(page.locator("#jobs tbody tr")).to_have_count(1)
    page.get_by_role("link", name="show all").click()
    expect(page.locator("#filters [data-name=failed] b")).not_to_have_text("0")


def test_a_kill_asks_first_and_does_nothing_until_it_is_confirmed(page: Page, site: Served) -> None:
    row(page, "db2", "vacuum").get_by_role("link", name="vacuum").click()
    page.get_by_role("button", name="Kill …").click()
    expect(page.locator("#ask-text")).to_have_text("Kill vacuum on db2? All its processes are ended.")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_hidden()
    assert not site.log
    page.get_by_role("button", name="Kill …").click()
    page.get_by_role("button", name="Kill it").click()
    expect(page.locator("#done")).to_contain_text("db2: killed killed on request")
    expect(page.locator("#job-state")).to_contain_text("killed")
    assert site.log[0] == "kill vacuum on db2: asked for by 127.0.0.1"


def test_run_again_names_the_hosts_where_it_failed_and_starts_it_there_alone(page: Page, fake: FakeHosts) -> None:
    row(page, "db3", "vacuum").get_by_role("link", name="vacuum").click()
    page.get_by_role("button", name="Run again on the failed").click()
    expect(page.locator("#ask-text")).to_contain_text("Run vacuum again on")
    expect(page.locator("#ask-text")).to_contain_text("db3, db4")
    page.get_by_label("End it after so many seconds").fill("60")
    with page.expect_request("**/again") as asked:
        page.locator("#ask-yes").click()
    assert re.search(r"&once=[0-9a-f]{32}$", asked.value.post_data or "")
    expect(page.locator("#done")).to_contain_text("db3: failed")
    again = [started for started in fake.started("vacuum", on="db3") if started.job.jid != "vacuum"]
    assert [started.job.timeout for started in again] == [60]
    assert not [started for started in fake.started("vacuum", on="db5") if started.job.jid != "vacuum"]


def test_a_session_that_ended_is_said_and_the_page_shows_that_it_is_old(page: Page, site: Served) -> None:
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    page.goto(site.link)
    expect(page.locator("#link")).to_have_text("live")


def test_filter_and_search_outlast_a_reload_and_are_in_the_address(page: Page) -> None:
    page.locator("#filters [data-name=succeeded]").click()
    page.get_by_label("Search").fill("web17")
    expect(page.locator("#jobs tbody tr")).to_have_count(11)
    page.reload()
    expect(page.locator("#jobs tbody tr")).to_have_count(11)
    expect(page.locator("#filters [data-name=succeeded]")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Search")).to_have_value("web17")
    assert page.url.endswith("/?show=succeeded&q=web17")


def test_the_squares_of_all_hosts_are_one_stop_of_the_tab_key(page: Page) -> None:
    page.locator("#map a").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#map a:focus")).to_have_attribute("href", "?host=web3")
    expect(page.locator("#map-words")).to_have_text("web3: succeeded")
    page.keyboard.press("Tab")
    expect(page.locator("#filters button:focus")).to_be_visible()
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#map a:focus")).to_have_attribute("href", "?host=web3")


def test_of_a_job_without_contact_the_time_stands_still_and_its_output_stays(page: Page, fake: FakeHosts) -> None:
    line = row(page, "db11", "reindex")
    line.get_by_role("link", name="reindex").click()
    fake.writes("reindex", "half of it\n", on="db11")
    expect(page.locator("#stdout")).to_have_text("half of it\n")
    fake.host("db11").unreachable()
    try:
        expect(page.locator("#job-note")).to_contain_text("no contact, this is as it was: db11: nothing listens there")
        expect(page.locator("#stdout")).to_have_text("half of it\n")
        page.keyboard.press("Escape")
        expect(line).to_contain_text("no contact")
        ages = page.evaluate(
            "[...hosts.values()].filter((host) => host.host === 'db11' || host.host === 'db12').map((host) => {"
            "  const job = host.jobs.find((each) => each.name === 'reindex'); const before = ago(job, host);"
            "  clock += 3600; const after = ago(job, host); clock -= 3600; return after - before; })"
        )
        assert ages == pytest.approx([0, 3600], abs=1)
        expect(page).to_have_title(re.compile("unreachable"))
    finally:
        fake.host("db11").reachable()
    expect(line).not_to_contain_text("no contact")


def test_a_tail_that_was_cut_says_so_as_long_as_it_is(page: Page, fake: FakeHosts) -> None:
    fake.writes("reindex", "x" * 100_000 + "\n", on="db12")
    row(page, "db12", "reindex").get_by_role("link", name="reindex").click()
    expect(page.locator("#out-head")).to_have_text("stdout the end of 100001 bytes")
    fake.writes("reindex", "and more\n", on="db12")
    expect(page.locator("#stdout")).to_contain_text("and more")
    expect(page.locator("#out-head")).to_have_text("stdout the end of 100010 bytes")


def test_a_server_that_hangs_is_noticed_and_what_is_shown_is_said_to_be_old(
    page: Page, site: Served, fake: FakeHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.clock.install()
    page.goto(site.url)
    expect(page.locator("#link")).to_have_text("live")
    expect(page.locator("#filters [data-name=succeeded] b")).not_to_have_text("0")
    hangs, goes_on, needs = threading.Event(), threading.Event(), site.board.needs

    def hang() -> str:
        hangs.set()
        assert goes_on.wait(60)
        return needs()

    with monkeypatch.context() as patch:
        patch.setattr(site.board, "needs", hang)
        try:
            fake.writes("reindex", "more\n", on="db13")
            assert hangs.wait(30)
            page.clock.fast_forward("01:00")
            expect(page.locator("#link")).to_contain_text("no data, trying again; what is shown is old, of")
            expect(page.locator("body")).to_have_class("old")
        finally:
            goes_on.set()
    expect(page.locator("#link")).to_have_text("live")
    page.clock.resume()


def test_a_page_that_is_hidden_gives_its_connections_to_the_one_that_is_looked_at(page: Page) -> None:
    hide = "Object.defineProperty(document, 'hidden', { value: %s, configurable: true })"
    page.evaluate(hide % "true")
    with page.expect_popup() as opening:
        page.evaluate("void window.open('/')")
    other = opening.value
    expect(other.locator("#link")).to_have_text("live")
    expect(page.locator("#link")).to_contain_text("paused: another page of this browser is in use")
    other.close()
    page.evaluate(hide % "false")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#link")).to_have_text("live")

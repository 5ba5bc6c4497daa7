"""Whole updates, under a load of 250 requests a second: what people see of them, and what their users notice."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from lab.load import Load
from lab.servers.web.site import WEB, LabSite
from tests.artifacts import bars_of
from tests.awaiting import await_true
from tests.rolling.conftest import nothing_lost, update
from tests.rolling.events import amid_deployment, reload_amid_deployment, when_logged, when_there
from tests.rolling.site_state import GATED, close_gates, home, open_gates, ready_by, statuses, versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_good_update_loses_no_request_and_updates_every_host(site: LabSite, load: Load) -> None:
    with load:
        ended = update(site, "2.0")
    assert ended.name == "Completed"
    nothing_lost(load)
    assert load.report.good_kept > 0 < load.report.good_new
    assert ended.column("state") == ["updated"] * 4
    assert ended.column("version before") == ["1.0"] * 4
    assert ended.column("version after") == ["2.0"] * 4
    assert ended.column("batch") == ["1", "2", "3", "4"]
    assert bars_of(ended.run_id) == [100]
    assert statuses(site) == ["UP"] * 4


def test_a_bad_version_is_stopped_at_the_canary_and_reverted_and_nobody_notices(site: LabSite, load: Load) -> None:
    health = site.update("bad")["health"] | {"deadline": 3}
    with load:
        ended = update(site, "bad-2.0", canary=1, serial=3, health=health)
    assert ended.name == "Reverted"
    nothing_lost(load)
    assert ended.column("batch") == ["1 (canary)", "", "", ""]
    assert ended.table["web1"]["state"] == "reverted"
    assert ended.table["web1"]["reason"].startswith("not healthy: status 503")
    assert ended.column("state")[1:] == ["not started"] * 3
    assert (versions(site), statuses(site)) == (["1.0"] * 4, ["UP"] * 4)


def test_a_canary_that_falls_ill_in_its_soak_is_reverted_before_the_others_begin(site: LabSite) -> None:
    def fall_ill() -> None:
        (site.applications["web1"].directory / "version").write_text("bad")
        os.kill(int((site.applications["web1"].directory / "pid").read_text()), signal.SIGTERM)

    with when_logged("web1 is watched", fall_ill):
        ended = update(site, "2.0", canary=1, soak=60)
    assert ended.name == "Reverted"
    assert "did not stay healthy" in ended.table["web1"]["reason"]
    assert versions(site) == ["1.0"] * 4


def test_a_canary_soaks_well_where_no_version_can_be_seen(site: LabSite) -> None:
    health = {name: value for name, value in site.update("2.0")["health"].items() if name != "version"}
    ended = update(site, "2.0", hosts="web1:web2", canary=1, health=health, revert="nothing")
    assert (ended.name, ended.table["web1"]["reason"]) == ("Completed", "")


def test_a_canary_is_not_said_to_be_out_when_its_balancer_falls_silent_in_its_soak(site: LabSite) -> None:
    hidden = site.haproxy.socket.with_name("hidden.sock")
    with when_logged("web1 is watched", lambda: site.haproxy.socket.rename(hidden)):
        ended = update(site, "2.0", canary=1, soak=60, contact_timeout=1, revert="nothing")
    hidden.rename(site.haproxy.socket)
    assert ended.table["web1"]["state"] == "failed"
    assert "there is no socket" in ended.table["web1"]["reason"]
    assert statuses(site) == ["UP"] * 4


def test_what_was_updated_is_reverted_newest_first(site: LabSite, load: Load) -> None:
    spoil = 'if [ "$VERSION" = 2.0 ] && [ -e spoil ]; then exit 5; fi; date +%s%N >>when; app/deploy.sh "$VERSION"'
    (home(site, "web3") / "spoil").touch()
    with load:
        ended = update(site, "2.0", deploy=spoil, revert="updated")
    assert ended.name == "Reverted"
    nothing_lost(load)
    assert ended.column("state") == [*["reverted"] * 3, "not started"]
    last = [int((home(site, name) / "when").read_text().split()[-1]) for name in ("web3", "web2", "web1")]
    assert last == sorted(last)
    assert (versions(site), statuses(site)) == (["1.0"] * 4, ["UP"] * 4)


def test_a_revert_that_fails_is_named_and_nothing_is_called_reverted(site: LabSite) -> None:
    one_way = '[ "$VERSION" = bad-2.0 ] || exit 7; app/deploy.sh "$VERSION"'
    health = site.update("bad")["health"] | {"deadline": 3}
    ended = update(site, "bad-2.0", deploy=one_way, canary=1, health=health)
    assert ended.name == "Stopped"
    assert ended.table["web1"]["state"].startswith("revert failed")
    assert "web1" in str(ended.state.message)
    assert (versions(site)[1:], statuses(site)[1:]) == (["1.0"] * 3, ["UP"] * 3)


def test_an_unreachable_host_counts_against_the_budget(site: LabSite) -> None:
    with amid_deployment(site, "web1", lambda: site.lose("web1")):
        ended = update(site, "2.0", deploy=GATED, contact_timeout=2, revert="nothing")
    assert ended.name == "Stopped"
    assert ended.table["web1"]["state"].startswith("unreachable")
    assert ended.column("state")[1:] == ["not started"] * 3


def test_the_hosts_of_a_batch_go_in_parallel(site: LabSite) -> None:
    both = "[ -e ../../web1/home/met ] && [ -e ../../web2/home/met ]"
    meet = f'touch met; until {both}; do sleep 0.1; done; app/deploy.sh "$VERSION"'
    ended = update(site, "2.0", hosts="web1:web2", serial=2, floor=0, deploy=meet, limit=60, revert="nothing")
    assert ended.name == "Completed"


def test_a_host_that_dies_during_its_deployment_stays_out_and_is_named(site: LabSite, load: Load) -> None:
    with load, amid_deployment(site, "web2", lambda: site.lose("web2")):
        ended = update(site, "2.0", deploy=GATED, contact_timeout=2, budget={"in_all": "25%"})
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.table["web2"]["state"] == "unreachable, stays out of the load balancer"
    assert ended.column("state")[::2] == ["updated", "updated"]
    assert "web2: unreachable" in str(ended.state.message)


def test_a_deployment_that_hangs_is_ended_and_its_healthy_host_put_back(site: LabSite, load: Load) -> None:
    with load:
        ended = update(site, "hang-2.0", limit=1, revert="nothing")
    assert ended.name == "Stopped"
    nothing_lost(load)
    assert ended.table["web1"]["state"] == "failed"
    assert "timed_out" in ended.table["web1"]["reason"]
    assert (versions(site), statuses(site)) == (["1.0"] * 4, ["UP"] * 4)


def test_a_reload_of_the_balancer_midway_loses_nothing(site: LabSite, load: Load) -> None:
    with load, amid_deployment(site, "web2", site.haproxy.reload):
        ended = update(site, "2.0", deploy=GATED)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.column("state") == ["updated"] * 4


def test_a_host_that_a_reload_brought_back_is_taken_out_again(site: LabSite, load: Load) -> None:
    with load, reload_amid_deployment(site, "web2"):
        ended = update(site, "2.0", deploy=GATED)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.table["web2"]["state"] == "updated, was drained again (1)"


def test_a_balancer_that_cannot_be_asked_for_a_while_breaks_no_deployment_off(site: LabSite, load: Load) -> None:
    shown, hidden = site.haproxy.socket, site.haproxy.socket.with_name("hidden.sock")

    def show() -> None:
        hidden.rename(shown)
        open_gates(site, "web2")

    close_gates(site, "web2")
    with (
        load,
        when_there(home(site, "web2") / "started", lambda: shown.rename(hidden)),
        when_logged("the load balancer cannot be asked", show),
    ):
        ended = update(site, "2.0", deploy=GATED)
    assert ended.name == "Completed"
    nothing_lost(load)
    assert ended.column("state") == ["updated"] * 4


def test_a_host_whose_removal_broke_off_halfway_is_put_back(site: LabSite) -> None:
    commands = {"remove": f"{ready_by(site).replace('ready', 'drain')}; exit 7", "add": ready_by(site)}
    ended = update(
        site, "2.0", balancer={"kind": "command", "command": commands}, floor_of="hosts", drain=1, revert="nothing"
    )
    assert ended.name == "Stopped"
    assert ended.table["web1"]["state"] == "failed"
    assert "remove command for web1 ended as failed, rc 7" in ended.table["web1"]["reason"]
    assert (versions(site), statuses(site)) == (["1.0"] * 4, ["UP"] * 4)


def test_a_host_whose_deployment_cannot_be_followed_stays_out_however_healthy_it_looks(site: LabSite) -> None:
    def hide() -> None:
        (job,) = site.ssh.host("web2").results_dir.glob("rolling-*-deploy.*")
        job.rename(home(site, "web2") / "hidden")

    with amid_deployment(site, "web2", hide):
        ended = update(site, "2.0", deploy=GATED, revert="nothing")
    assert ended.name == "Stopped"
    assert ended.table["web2"]["state"] == "unreachable, stays out of the load balancer"
    # The deployment goes on, and its new application may just be starting.
    await_true(lambda: statuses(site) == ["UP", "DRAIN", "UP", "UP"])


def test_a_connection_that_never_ends_is_waited_for_until_the_deadline(site: LabSite, load: Load) -> None:
    with socket.create_connection(("127.0.0.1", site.haproxy.port)) as link:
        link.sendall(b"GET /stream?600 HTTP/1.1\r\nHost: site\r\n\r\n")
        assert link.recv(12) == b"HTTP/1.1 200"
        (holder,) = [name for name in WEB if site.haproxy.connections(name)]
        with load:
            ended = update(site, "2.0", drain=2)
    assert ended.name == "Completed"
    nothing_lost(load)
    waited, left = ended.table[holder]["drain"].split(" ", 1)
    assert (float(waited.removesuffix("s")) >= 2, left) == (True, "(1 left)")
    assert ended.column("state") == ["updated"] * 4


def test_a_request_that_takes_its_time_is_answered_to_its_end(site: LabSite) -> None:
    with socket.create_connection(("127.0.0.1", site.haproxy.port)) as link:
        link.sendall(b"GET /stream?6 HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n")
        assert link.recv(12) == b"HTTP/1.1 200"
        (holder,) = [name for name in WEB if site.haproxy.connections(name)]
        ended = update(site, "2.0", hosts=holder)
        answer = b"".join(iter(lambda: link.recv(4096), b""))
    assert ended.table[holder]["state"] == "updated"
    assert answer.count(b".") == 60


def test_a_pattern_that_means_no_host_is_said_in_words_and_not_by_a_hook_that_broke(
    site: LabSite, caplog: pytest.LogCaptureFixture
) -> None:
    ended = update(site, "2.0", hosts="web9")
    assert "no host or group is named 'web9'" in str(ended.state.message)
    assert "Hook 'put_right' finished running successfully" in caplog.text
    assert "An error was encountered while running hook" not in caplog.text


def test_too_few_healthy_hosts_keep_every_other_one_in(site: LabSite) -> None:
    site.applications["web3"].die()
    site.applications["web4"].die()
    site.haproxy.await_status("web4", "DOWN")
    ended = update(site, "2.0", floor_wait=0)
    assert ended.name == "Stopped"
    assert ended.table["web1"]["state"] == "failed"
    assert "only 1 of 3 other servers of app on lb1 serve, 2 must, not web3 (no answer" in ended.table["web1"]["reason"]
    assert versions(site) == ["1.0"] * 4
    assert statuses(site)[:2] == ["UP", "UP"]


def test_a_floor_that_can_never_be_kept_is_reported_at_once(site: LabSite) -> None:
    ended = update(site, "2.0", hosts="web1:web2", floor=4, floor_wait=10_000)
    assert ended.name == "Stopped"
    assert "4 other servers of app on lb1 must serve, and there are only 3" in ended.table["web1"]["reason"]
    assert statuses(site) == ["UP"] * 4

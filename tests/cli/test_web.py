"""`remotejobs web` as a command: it says where it is, shows real hosts, and ends with Ctrl-C while the jobs run on."""

from __future__ import annotations

import re
import signal
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from tests.cli.conftest import Hosts
from tests.cli.running import begin, remotejobs
from tests.web.serving import Stream


def opened(line: str, path: str) -> HTTPResponse:
    """The answer of the page whose address stands in a line."""
    match = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
    assert match, line
    connection = HTTPConnection("127.0.0.1", int(match[1]), timeout=60)
    connection.request("GET", path)
    return connection.getresponse()


def test_it_says_where_it_is_shows_what_runs_on_real_hosts_and_leaves_it_running(ssh_hosts: Hosts) -> None:
    ssh_hosts.call("run", "-l", "db1", "-P", "0", "--jid", "dump", "--", "echo half; exec sleep 600")
    page = begin("web", "all", "--port", "0", "-i", str(ssh_hosts.inventory))
    assert page.stdout and page.stderr
    try:
        first = page.stdout.readline()
        assert first.startswith("The live page is at http://127.0.0.1:")
        events = Stream(opened(first, "/events"))
        hosts = events.until(lambda name, said: name == "hosts" and any(each["jobs"] for each in said))
        (job,) = next(each["jobs"] for each in hosts if each["jobs"])
        assert (job["jid"], job["state"]) == ("dump", "running")
        output = Stream(opened(first, "/output?host=db1&jid=dump"))
        assert output.named("output")["stdout"]["text"] == "half\n"
        page.send_signal(signal.SIGINT)  # with both streams open
        assert page.wait(30) == 130
        assert page.stderr.read() == ""
    finally:
        page.kill()
        page.wait()
    (found,) = ssh_hosts.call("status", "-l", "db1", "dump", "--json").objects
    assert found["state"] == "running"


def test_what_is_needed_for_a_login_is_printed_and_no_token_is(local_hosts: Hosts, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-that-nobody-guesses\n")
    token.chmod(0o600)
    words = ("--port", "0", "--token-file", str(token), "--allow-actions")
    page = begin("web", "all", *words, "-i", str(local_hosts.inventory))
    assert page.stdout
    try:
        lines = [page.stdout.readline() for _ in range(4)]
        assert opened(lines[0], "/events").status == 401
        link = lines[1].partition("/login")[2].strip()
        assert lines[1].startswith("Log in, once and within ten minutes: ")
        assert opened(lines[0], f"/login{link}").status == 303
        assert "a-token" not in "".join(lines)
    finally:
        page.kill()
        page.wait()


def test_a_port_that_nobody_may_have_is_bad_use(local_hosts: Hosts) -> None:
    for words, said in (
        (("--listen", "192.0.2.1"), "the page cannot be at 192.0.2.1 port 4210: "),
        (("--port", "70000"), "the page cannot be at 127.0.0.1 port 70000: "),
        (("-P", "0"), "web with -P 0 would ask without pause"),
        (("--listen", ""), "--listen '' is no name of a host"),
        (("--name", "https://jobs.example/"), "--name 'https://jobs.example/' is no name of a host. Give the name"),
        (("--name", "jobs.example:8443"), "--name 'jobs.example:8443' is no name of a host"),
        (("--key", "k.pem"), "--key without --certificate"),
        (("--certificate", "/nowhere.pem"), "the certificate /nowhere.pem cannot be used: "),
        (("--token-file", "/nowhere"), "the token cannot be read from /nowhere: "),
    ):
        ended = remotejobs("web", "all", "-i", str(local_hosts.inventory), *words)
        assert ended.code == 1, ended
        assert said in ended.err

"""The pure half of what is shown."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotejobs.cli import exit_codes
from remotejobs.cli.parser import seconds
from remotejobs.display.log_writer import LogWriter
from remotejobs.display.paint import Paint
from remotejobs.display.table import table
from remotejobs.errors import BecomeFailed, TimedOut, UsageError
from remotejobs.jobs.fleet import HostResult
from remotejobs.model import Record, State
from remotejobs.text import duration, last_line, one_line, size, span, visible


@given(st.text())
def test_nothing_shown_is_a_control_character(text: str) -> None:
    assert not {char for char in visible(text) if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"}


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])))
def test_what_a_terminal_prints_is_left_as_it_is(text: str) -> None:
    assert visible(text) == text


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (0.04, "0.0s"), (59.94, "59.9s"), (65, "1m05s"), (7380, "2h03m"), (273600, "3d04h")],
)
def test_durations_are_short(value: float | None, shown: str) -> None:
    assert duration(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (1.5, "1.5 seconds"),
        (5400, "90 minutes"),
        (86400, "1 day"),
        (1209600, "2 weeks"),
    ],
)
def test_ages_are_shown_exactly(value: float, shown: str) -> None:
    assert span(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(17, "17 bytes"), (65536, "64.0 KiB"), (3 * 1024**3, "3.0 GiB")])
def test_sizes_are_short(value: int, shown: str) -> None:
    assert size(value) == shown


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43200), ("1d", 86400), ("1.5h", 5400)]
)
def test_durations_are_understood(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("content", "line"), [(b"", ""), (b"a\nb\n\n", "b"), (b"10%\r20%\r", "20%"), (b"x\x1b[2J\n", r"x\x1b[2J")]
)
def test_the_last_line_is_what_a_progress_bar_shows_now(content: bytes, line: str) -> None:
    assert last_line(content) == line


def test_columns_of_a_table_are_aligned_and_coloured_only_where_wanted() -> None:
    rows = [("db1", "failed"), ("database2", "lost")]

    assert table(("host", "state"), rows, Paint(False)) == ["host       state", "db1        failed", "database2  lost"]
    assert "\x1b[31mfailed\x1b[0m" in table(("host", "state"), rows, Paint(True))[1]


@given(st.lists(st.text("abc d", max_size=30), min_size=3, max_size=3), st.integers(37, 120))
def test_a_table_fits_its_terminal(words: list[str], columns: int) -> None:
    lines = table(("jid", "label", "start", "msg"), [("a-jid", *words)], Paint(False), columns=columns)

    assert max(map(len, lines)) <= columns
    assert lines[1].startswith("a-jid")


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (60, "j1   nightly vacuum  2026-11-22T02:00:00Z  failed on purpose"),
        (56, "j1   nightly vacuum  2026-11-22T02:00:00Z  failed on pu…"),
        (47, "j1   nightly vacuum  2026-11-22T02…  failed on…"),
        (40, "j1   nightly v…  2026-11-22…  failed on…"),
    ],
)
def test_a_table_that_is_too_wide_is_cut_in_its_messages_then_in_its_times_then_in_its_labels(
    columns: int, row: str
) -> None:
    cells = ("j1", "nightly vacuum", "2026-11-22T02:00:00Z", "failed on purpose")

    assert table(("jid", "label", "start", "msg"), [cells], Paint(False), columns=columns)[1] == row


def test_a_shortened_cell_says_so() -> None:
    rows = [("db1", "said " * 20)]

    assert table(("host", "msg"), rows, Paint(False), columns=20)[1] == "db1   said said sai…"
    assert table(("host", "msg"), rows, Paint(False))[1].endswith("said said")


def job(state: State, msg: str = "", survivors: str = "") -> HostResult[Record]:
    return HostResult("h", value=Record(host="h", jid="j", state=state, msg=msg, survivors=survivors))


GOOD, BAD = job(State.SUCCEEDED), job(State.LOST)
AWAY: HostResult[Record] = HostResult("h", error=TimedOut("h", "no answer"))
REFUSED: HostResult[Record] = HostResult("h", error=BecomeFailed("h", "no"))
MISUSED: HostResult[Record] = HostResult("h", error=UsageError("h: no"))


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([GOOD, job(State.RUNNING)], 0),
        ([GOOD, MISUSED], 1),
        ([GOOD, BAD, MISUSED], 2),
        ([GOOD, REFUSED], 2),
        ([AWAY, BAD, GOOD], 4),
    ],
)
def test_the_worst_host_decides_how_it_ends(outcomes: list[HostResult[Record]], code: int) -> None:
    assert exit_codes.of_jobs(outcomes) == code


def test_a_kill_succeeds_when_nothing_is_left_alive() -> None:
    assert exit_codes.of_kills([job(State.KILLED, "killed on request; its process tree is proven empty"), GOOD]) == 0
    assert exit_codes.of_kills([job(State.KILLED, "killed on request", survivors="7(x)")]) == 2
    assert exit_codes.of_kills([job(State.RUNNING)]) == 2


class Terminal(io.TextIOWrapper):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_character_cut_in_two_by_chunks_is_whole_on_a_terminal() -> None:
    written = io.BytesIO()
    writer = LogWriter(["h"], Terminal(written, "utf-8"))
    for byte in "für €\n".encode():
        writer.write("h", bytes([byte]))

    assert written.getvalue() == "für €\n".encode()


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.binary(max_size=9))))
def test_lines_of_two_hosts_are_never_mixed_and_nothing_is_lost(chunks: list[tuple[str, bytes]]) -> None:
    written = io.BytesIO()
    writer = LogWriter(["a", "b"], io.TextIOWrapper(written))
    for host, content in chunks:
        writer.write(host, content)
    writer.close()

    for host in ("a", "b"):
        sent = b"".join(content for name, content in chunks if name == host)
        prefix = f"{host} | ".encode()
        lines = [line.removeprefix(prefix) for line in written.getvalue().split(b"\n") if line.startswith(prefix)]
        assert lines == (sent.removesuffix(b"\n").split(b"\n") if sent else [])

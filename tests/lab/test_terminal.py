"""The screen of a terminal, as the recording of the README draws it."""

from __future__ import annotations

from lab.screenshots.recording import Recording, drawn
from lab.screenshots.terminal import COLUMNS, ROWS, Span, Terminal


def shown(*written: str) -> list[str]:
    terminal = Terminal()
    for text in written:
        terminal.write(text)
    return ["".join(span.text for span in line) for line in terminal.screen()]


def test_a_line_is_written_anew_where_the_cursor_went_up_and_erased_it() -> None:
    assert shown("db1 running\r\ndb2 running\r\n", "\x1b[1A\x1b[2K\r", "db2 ended\r\n") == ["db1 running", "db2 ended"]


def test_only_the_last_lines_are_seen_and_long_ones_wrap() -> None:
    assert shown("".join(f"{number}\r\n" for number in range(ROWS + 3)))[0] == "3"
    assert shown("x" * (COLUMNS + 1)) == ["x" * COLUMNS, "x"]


def test_colours_and_weights_hold_until_they_are_reset() -> None:
    terminal = Terminal()
    terminal.write("\x1b[1;32mdone\x1b[0m so")
    assert terminal.screen() == ((Span("done", 32, strong=True), Span(" so")),)


def test_the_recording_shows_text_as_text() -> None:
    recording = Recording()
    recording.write("<b>&\r\n", 0)
    assert "&lt;b&gt;&amp;" in drawn(recording)

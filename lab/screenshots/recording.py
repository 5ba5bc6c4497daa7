"""Part of `make pictures`: half a minute at a terminal, on three real sshd, as an SVG that plays by itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import time
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from lab.screenshots.pictures import IMAGES
from lab.screenshots.terminal import COLUMNS, ROWS, Screen, Span, Terminal
from lab.servers.sshd import SshLab

# What is typed; a line with # is said. Longer than a moment, each waits as a reader would.
SESSION = (
    "# Start a job of an hour on every database host, and come back to the shell at once.",
    "remotejobs run 'db*' -B 1h -P 0 --jid vacuum -- 'for t in orders items; do echo vacuuming $t; sleep 3; done'",
    "# The laptop may sleep: the hosts go on. Any machine with the inventory finds the job again.",
    "remotejobs wait 'db*' vacuum",
    "# A command that leaves its session is ended with all its processes, and proven gone.",
    """remotejobs run db1 -P 0 --jid stuck -- 'setsid sleep 999 & sleep 999'""",
    "remotejobs kill db1 stuck",
    "# A browser shows the same, live: remotejobs web all",
)
PROMPT = "$ "
TYPED = 0.012  # seconds for a character: nobody wants to wait for that
READ = 1.3  # seconds after each command
STEP = 0.3  # seconds between two pictures, at least
WIDE, HIGH = 8.4, 18.0  # of a character, in px
FONT = 'font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"'
INK = {31: "#f47067", 32: "#6bc46d", 33: "#daaa3f", 34: "#6cb6ff", 35: "#dcbdfb", 36: "#56d4dd"}


@dataclass(slots=True)
class Recording:
    """What stood on the screen from which second on; a real command's time is its own."""

    terminal: Terminal = field(default_factory=Terminal)
    at: float = 0.0
    shown: list[tuple[float, Screen]] = field(default_factory=list)

    def write(self, text: str, seconds: float) -> None:
        self.at += seconds
        self.terminal.write(text)
        screen = self.terminal.screen()
        if self.shown and self.at - self.shown[-1][0] < STEP:
            self.shown[-1] = (self.shown[-1][0], screen)
        elif not self.shown or self.shown[-1][1] != screen:
            self.shown.append((self.at, screen))

    def type(self, line: str) -> None:
        said = line.startswith("#")
        self.write("\x1b[2m" if said else f"\x1b[1m{PROMPT}", 0.4)
        for char in line:
            self.write(char, 0 if said else TYPED)
        self.write("\x1b[0m\r\n", 0.4)


def record(inventory: Path) -> Recording:
    recording = Recording()
    for line in SESSION:
        recording.type(line)
        if not line.startswith("#"):
            run(line, inventory, recording)
        recording.at += READ
    recording.write("\x1b[1m$ \x1b[0m", 0.1)
    return recording


def run(line: str, inventory: Path, recording: Recording) -> None:
    """Run a command line on a pseudo-terminal, and record what it writes when it writes it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    env = {**os.environ, "TERM": "xterm", "REMOTEJOBS_INVENTORY": str(inventory), "NO_COLOR": ""}
    words = ["sh", "-c", line.replace("remotejobs", f"{sys.executable} -m remotejobs", 1)]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True)
    os.close(theirs)
    last = time.monotonic()
    with contextlib.suppress(OSError):  # how a terminal says that nobody holds its other end
        while data := os.read(ours, 65536):
            now = time.monotonic()
            recording.write(data.decode(errors="replace"), now - last)
            last = now
    os.close(ours)
    process.wait()


def drawn(recording: Recording) -> str:
    """The SVG: a group for each picture, which its animation shows for its time, over and over."""
    length = recording.at + 3
    wide, high = COLUMNS * WIDE + 24, ROWS * HIGH + 24
    begins = [at for at, _ in recording.shown]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" font-size="14" {FONT}>',
        f'<rect width="{wide:.0f}" height="{high:.0f}" rx="8" fill="#22272e"/>',
        "<style>text{fill:#cdd9e5;white-space:pre}.f{fill:#8b98a5}.b{font-weight:700}g{visibility:hidden}",
    ]
    for number, begin in enumerate(begins):
        end = begins[number + 1] if number + 1 < len(begins) else length
        first, last = 100 * begin / length, 100 * end / length
        parts.append(
            f"@keyframes k{number}{{0%{{visibility:{'visible' if number == 0 else 'hidden'}}}"
            f"{first:.3f}%{{visibility:visible}}{last:.3f}%,100%{{visibility:hidden}}}}"
            f"#p{number}{{animation:k{number} {length:.1f}s step-end infinite}}"
        )
    parts.append("</style>")
    names = {
        line: f"l{number}" for number, line in enumerate({line: 0 for _, screen in recording.shown for line in screen})
    }
    parts.append(f"<defs>{''.join(_line(name, line) for line, name in names.items())}</defs>")
    for number, (_, screen) in enumerate(recording.shown):
        rows = [(row, line) for row, line in enumerate(screen) if line]
        lines = "".join(f'<use href="#{names[line]}" y="{row * HIGH:g}"/>' for row, line in rows)
        parts.append(f'<g id="p{number}">{lines}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _line(name: str, line: tuple[Span, ...]) -> str:
    spans, column = "", 0
    for span in line:
        kinds = " ".join(filter(None, ("b" if span.strong else "", "f" if span.faint and not span.colour else "")))
        named = f' class="{kinds}"' if kinds else ""
        ink = f' style="fill:{INK[span.colour]}"' if span.colour in INK else ""
        spans += f'<tspan x="{12 + column * WIDE:.1f}"{named}{ink}>{escape(span.text)}</tspan>'
        column += len(span.text)
    return f'<text id="{name}" y="{12 + 0.8 * HIGH:.1f}" xml:space="preserve">{spans}</text>'


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="rj-rec-") as name, SshLab(Path(name), ["db1", "db2", "db3"]) as lab:
        recording = record(lab.write_inventory(Path(name) / "hosts.yml"))
    path = IMAGES / "terminal.svg"
    path.write_text(drawn(recording).replace(name, "/srv"))
    print(f"{path}: {len(recording.shown)} pictures, {recording.at:.0f} s, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()

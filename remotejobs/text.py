"""Text that came from elsewhere, made fit to be shown."""

from __future__ import annotations

import re

# Controls but newline and tab, and the marks that reverse the direction of what stands behind them: a terminal
# would obey them, and a reader be deceived.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""`text` without a character that a terminal would obey: ESC becomes the four characters `\x1b`."""
    return _UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text.replace("\r\n", "\n"))


def decoded(content: bytes) -> str:
    """Output as text; what is no UTF-8 is replaced."""
    return content.decode("utf-8", "replace")


def one_line(text: str) -> str:
    """`visible` text on a single line."""
    return " ".join(visible(text).split())


def shortened(text: str, width: int) -> str:
    """`text` with at most `width` characters; an ellipsis stands for what was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"


def last_line(content: bytes) -> str:
    """The last line of output that is not blank, as a progress bar leaves it; "" when there is none."""
    lines = [line for line in re.split("[\r\n]", decoded(content)) if line.strip()]
    return one_line(lines[-1]) if lines else ""


def in_markdown(text: str) -> str:
    """`text` on one line that ends no table's cell and starts no markup."""
    return re.sub(r"([|`*_<>\[\]\\])", r"\\\1", one_line(text))


def fenced(text: str) -> str:
    """A block of markdown that no run of backticks in `text` can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{visible(text)}\n{fence}"


def indented(text: str) -> str:
    """Every line of `text` set in by four columns, made `visible`."""
    return "\n".join(f"    {line}".rstrip() for line in visible(text).rstrip("\n").split("\n"))


def duration(seconds: float | None) -> str:
    """2.1s, 1m05s, 2h03m, 3d04h: short, and never more exact than useful."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02}h"
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"


def span(seconds: float) -> str:
    """1 day, 90 minutes: in the largest unit that says it exactly."""
    for unit, length in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            return number_of(int(seconds // length), unit)
    return "1 second" if seconds == 1 else f"{seconds:g} seconds"


def number_of(count: int, noun: str) -> str:
    """1 job, 2 jobs."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size(count: int) -> str:
    """17 bytes, 64.0 KiB, 3.2 MiB."""
    amount, unit = float(count), "bytes"
    for larger in ("KiB", "MiB", "GiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"

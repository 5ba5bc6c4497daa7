"""The job by which a host downloads a URL by itself."""

from __future__ import annotations

import re

from remotejobs.agent.shell import command_of, text_of
from remotejobs.errors import UsageError
from remotejobs.model import Job


def download_job(url: str, dest: str, jid: str, *, sha256: str = "", rate: int = 0, timeout: int | None = None) -> Job:
    """Fetches `url` into the file `dest` over there by curl or wget, resumed after cuts, named once it is whole.

    With a `sha256` it must have that, what an earlier job left is gone on with, and a file that is there is not fetched
    again. `rate` is bytes a second, 0 for no limit.
    """
    if not re.match(r"(https?|ftp)://", url):
        raise UsageError(f"{url!r} is no address to download from", remedy="Begin it with http:// or https://.")
    if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise UsageError(f"{sha256!r} is no sha256", remedy="Give 64 hexadecimal digits in lower case, or none.")
    if not dest.startswith("/"):
        raise UsageError(f"{dest!r} is not absolute", remedy="Begin it with /.")
    text = text_of("remotejobs.operations.transfer", "transfer.sh")
    command = command_of(text, "tr_download", url, dest, sha256, str(rate))
    return Job(jid=jid, cmd=command, label=f"download {dest.rpartition('/')[2]}", timeout=timeout)

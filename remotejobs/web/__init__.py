"""`remotejobs web`: the jobs of a fleet on one page that updates itself.

`live_fleet` asks the hosts, `run_watch` asks Prefect's server, `needs` lists what needs a person, `board` holds what
the page shows. `app` answers browsers, `stream` sends them what changes, `actions` does what they ask, `once` does it
once, and `guard` decides who may ask. What is sent is text, which `pages/fleet.js` shows as text.
"""

from __future__ import annotations

from remotejobs.errors import WebMissing

try:
    import starlette as starlette
    import uvicorn as uvicorn
except ModuleNotFoundError as exc:
    if exc.name not in ("starlette", "uvicorn"):
        raise
    raise WebMissing("the live page needs Starlette and uvicorn, which are not installed") from exc

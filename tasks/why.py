"""Why a run failed, as an artifact: host, reason, last lines and what to do, on a page that begins with them.

Prefect's page of a run has the message of its state below the graph and a list of dates, where one has to scroll.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from textwrap import dedent
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.runtime import flow_run

from remotejobs.text import fenced, in_markdown, one_line

KEY = "why-it-failed"
_LONGEST = 200  # characters of the line over it


def attach_why(text: str) -> None:
    """Attach the words of an error to the flow run under way; indented lines are the output of a job.

    Whatever becomes of that, the run fails by the error itself.
    """
    if not (run := flow_run.id):
        return
    head = one_line(text.partition("\n")[0])[:_LONGEST]
    data = "\n\n".join(_blocks(text))
    # Whatever goes wrong: a server, or a proxy before it, may say what no client understands.
    with suppress(Exception):
        why = ArtifactCreate(key=KEY, type="markdown", description=head, data=data, flow_run_id=UUID(run))
        # Not by Prefect's own helper, which in an event loop would wait to be awaited.
        with get_client(sync_client=True) as client:
            client.create_artifact(why)


def _blocks(text: str) -> Iterator[str]:
    for output, lines in groupby(text.splitlines(), key=lambda line: line.startswith(" ")):
        if output:
            yield fenced(dedent("\n".join(lines)))
        else:
            yield from (in_markdown(line) for line in lines if line.strip())

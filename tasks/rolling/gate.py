"""The gate between the canaries of an update and the other hosts: a person agrees, with the canaries' figures."""

from __future__ import annotations

from collections.abc import Sequence

from remotejobs.errors import UsageError
from remotejobs.operations.rolling import HostReport, Update, UpdateOutcome
from remotejobs.prefect.tasks.approval import Approval, ask, cannot_wait
from remotejobs.prefect.tasks.rolling.batches import Rollout, gate_of
from remotejobs.text import in_markdown

_FIGURES = ("host", "version", "drain", "deploy", "health")  # more would not fit into the form


def check_gate(gate: Approval, update: Update) -> None:
    """Raises `UsageError` for a gate that could not be asked at, before anything is changed."""
    if gate.needed and not update.canary:
        raise UsageError("gate: there are no canaries before it", remedy="Set update.canary, or open the gate.")
    if no := cannot_wait(gate):
        raise UsageError(f"gate: {no}", remedy="Run the deployment rolling-update, or open the gate.")


def refused_at_gate(gate: Approval, rollout: Rollout, reports: Sequence[HostReport]) -> str:
    """Why the update may not go beyond its canaries; "" when it may. The first time this ends the process."""
    if not gate.needed:
        return ""
    return ask(gate, gate_question(rollout, reports), about=gate_of(rollout.update_id, rollout.update))


def gate_question(rollout: Rollout, reports: Sequence[HostReport]) -> str:
    """What a person is asked, in markdown: what the canaries did, and what comes next."""
    update, canaries = rollout.update, [report for report in reports if report.touched]
    rest = [host for batch in rollout.batches if not (batch.canary or batch.spare) for host in batch.hosts]
    rows = [list(_FIGURES), ["---"] * len(_FIGURES), *(_figures(report) for report in canaries)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    notes = [f"- {in_markdown(f'{each.host}: {each.said}')}" for each in canaries if each.said != UpdateOutcome.UPDATED]
    soaked = f" and stayed healthy for {update.soak:g} s under load" if update.soak else ""
    parts = [
        f"**{in_markdown(update.version)}** runs on {_hosts(len(canaries))}{soaked}:",
        table,
        "\n".join(notes),
        f"Update the other {_hosts(len(rest))}? {in_markdown(', '.join(rest))}",
    ]
    return "\n\n".join(part for part in parts if part)


def _figures(report: HostReport) -> list[str]:
    """A row of the table: the version before and now, and how long each step took."""
    row = report.row()
    versions = f"{report.before or '?'} → {report.after or '?'}" if report.before or report.after else ""
    return [in_markdown(cell) for cell in (report.host, versions, row["drain"], row["deploy"], row["health"])]


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"

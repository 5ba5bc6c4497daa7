"""Draw docs/images/scale.png from the figures that `bench.scale --write` kept.

python -m bench.plot
"""

from __future__ import annotations

import json
from typing import Any

import matplotlib as mpl

from bench.documents import PROJECT, RESULTS

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import LogFormatter

PICTURE = PROJECT / "docs" / "images" / "scale.png"
_MOST_MEMORY = 300e6 / 2**20  # MiB, at 1,000 hosts: what was aimed at, 300 MB


def main() -> None:
    kept = json.loads((RESULTS / "scale.json").read_text())
    core, flow = kept["core"], [row for row in kept["flow"] if row["delay"] == 15]
    together, alone = [row for row in flow if row["group"] == 0], [row for row in flow if row["group"] == 1]
    figure, (cost, memory) = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
    cost.plot(*_columns(core, lambda row: 1000 * (row["start_cpu"] + row["watch_cpu"])), "o-", label="core alone")
    cost.plot(*_flights(together, lambda row: 1000 * row["flown"]["cpu"]), "s-", label="flow: its process")
    cost.plot(*_flights(kept["sshd"], lambda row: 1000 * row["flown"]["cpu"]), "*-", label="the same, on real sshd")
    cost.plot(*_flights(together, lambda row: 1000 * row["server_cpu"]), "^-", label="flow: Prefect's server")
    cost.plot(*_flights(alone, lambda row: 1000 * row["server_cpu"]), "v", label="the same, a task run a job")
    cost.set(title="CPU time a host, start to end", ylabel="ms", yscale="log")
    memory.plot([row["hosts"] for row in core], [row["memory"] for row in core], "o-", label="core alone")
    flown = [row["flown"] for row in together]
    memory.plot([row["hosts"] for row in flown], [row["memory"] for row in flown], "s-", label="flow: its process")
    real = [row["flown"] for row in kept["sshd"]]
    memory.plot([row["hosts"] for row in real], [row["memory"] for row in real], "*-", label="flow on real sshd")
    memory.plot(1000, _MOST_MEMORY, "_", markersize=20, label="aim at 1,000 hosts")
    memory.set(title="peak memory", ylabel="MiB", yscale="log")
    for axes in (cost, memory):
        axes.set(xscale="log", xlabel="hosts")
        axes.grid(visible=True, which="both", alpha=0.2)
        # Plain numbers, and nothing of the curves hidden.
        axes.yaxis.set_major_formatter(LogFormatter())
        axes.yaxis.set_minor_formatter(LogFormatter())
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    figure.suptitle(kept["machine"], fontsize=8)
    figure.savefig(PICTURE, dpi=110)
    print(PICTURE)


def _columns(rows: list[Any], cost: Any) -> tuple[list[int], list[float]]:
    return [row["hosts"] for row in rows], [cost(row) / row["hosts"] for row in rows]


def _flights(rows: list[Any], cost: Any) -> tuple[list[int], list[float]]:
    return [row["flown"]["hosts"] for row in rows], [cost(row) / row["flown"]["hosts"] for row in rows]


if __name__ == "__main__":
    main()

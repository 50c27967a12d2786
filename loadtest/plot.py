"""The plot of a comparison: requests/s with every round as a dot, latencies, and CPU a request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .contender import BY_NAME
from .figures import PERCENTILES, Round, Summary


def plot(rounds: Sequence[Round], summaries: Sequence[Summary], scenario: str, path: Path) -> None:
    """Draws a PNG to `path`."""
    figure = Figure(figsize=(13, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    speed, latency, cpu = figure.subplots(1, 3)
    figure.suptitle(f"{scenario}: medians of {summaries[0].rounds} interleaved rounds")
    names = [BY_NAME[summary.contender].title.replace(", ", ",\n").replace(" + ", " +\n") for summary in summaries]
    positions = range(len(summaries))

    speed.bar(positions, [summary.rate for summary in summaries], color="tab:blue", alpha=0.6)
    for position, summary in enumerate(summaries):
        rates = [entry.rate for entry in rounds if entry.contender == summary.contender]
        speed.plot([position] * len(rates), rates, "k.", markersize=5)
    speed.set_title("requests/s (dots: rounds)")

    for summary, name in zip(summaries, names, strict=True):
        values = list(summary.latency_ms.values())
        latency.plot([f"p{percent:g}" for percent in PERCENTILES], values, "o-", label=name.replace("\n", " "))
    latency.set_yscale("log")
    latency.set_title("latency, ms")
    latency.legend(fontsize="small")

    postgres = [summary.postgres_per_1000 for summary in summaries]
    own = [summary.cpu_per_1000 - share for summary, share in zip(summaries, postgres, strict=True)]
    cpu.bar(positions, own, label="contender", color="tab:orange", alpha=0.8)
    cpu.bar(positions, postgres, bottom=own, label="Postgres", color="tab:gray", alpha=0.8)
    cpu.set_title("CPU seconds per 1000 requests")
    cpu.legend(fontsize="small")

    for axes in (speed, cpu):
        axes.set_xticks(list(positions), names, fontsize="small")
    for axes in (speed, latency, cpu):
        axes.grid(axis="y", alpha=0.3)
    figure.savefig(path, dpi=120)

"""Results for people and for programs: a table in the terminal, JSON, Markdown and a plot, in one folder a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .contender import BY_NAME, ROOT
from .figures import Round, Summary, Verdict, summarize, verdicts
from .load import Load
from .records import NOTHING_NEW_S, RECORDED_WITHIN_S

RESULTS = ROOT / "results"

# More CPUs than this used by contenders that should be idle, and the round says little about the one measured.
IDLE_CPU_NOTICED = 0.05

# The same for programs that have nothing to do with the run; a desktop's or a virtual machine's own chores stay below.
FOREIGN_CPU_NOTICED = 0.15

COLUMNS = (
    "contender", "requests/s", "ratio", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "errors", "lost", "whole traces",
    "CPU s/1000", "of it Postgres", "generator", "PSS MB",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that a report is made of."""

    load: Load
    workers: int
    consume: bool
    baseline: str
    environment: Mapping[str, Any]
    rounds: Sequence[Round]

    @property
    def summaries(self) -> list[Summary]:
        return summarize(self.rounds, self.baseline)

    @property
    def verdicts(self) -> list[Verdict]:
        return verdicts(self.rounds, self.load.scenario)

    @property
    def method(self) -> str:
        """What was done, in words."""
        jobs = "consumed as they come" if self.consume else "durably inserted and not due within the run"
        load = self.load
        return (
            f"Scenario {load.scenario}; {load.method}. All contenders were up at once on this machine, each with a "
            f"database of its own on one embedded Postgres, warmed up for {load.warmup_s} s, and loaded one at a time "
            f"in {load.rounds} interleaved rounds of {load.seconds} s, with a checkpoint before each. Flux ran "
            f"{self.workers} worker(s), FastAPI 2 processes, aiohttp 1. Figures are medians over rounds; ratios are "
            f"medians of the ratios to {BY_NAME[self.baseline].title} within each round. Queued jobs were {jobs}. CPU "
            "is user and system time of the contender's whole process tree and of Postgres, until the contender was "
            "quiet again, the load generator's apart. PSS is the peak of the tree, without Postgres. Lost: answered as "
            f"expected, but no record {RECORDED_WITHIN_S:g} s after the round, or when none had come for "
            f"{NOTHING_NEW_S:g} s. Whole traces: of {load.sample} further requests a round whose IDs are known, those "
            "found with all their spans."
        )

    @property
    def notices(self) -> list[str]:
        """What a reader must know before he trusts the figures."""
        found = []
        for entry in self.summaries:
            title = BY_NAME[entry.contender].title
            if entry.idle_cpu > IDLE_CPU_NOTICED:
                found.append(f"While {title} was measured, idle contenders used {entry.idle_cpu:.2f} CPUs.")
            if entry.foreign_cpu > FOREIGN_CPU_NOTICED:
                found.append(
                    f"While {title} was measured, other programs used {entry.foreign_cpu:.2f} CPUs: busy machine."
                )
        return found

    def rows(self) -> list[tuple[str, ...]]:
        """The table's cells, one tuple a contender, in the order of COLUMNS."""
        return [
            (
                BY_NAME[entry.contender].title,
                f"{entry.rate:,.0f}",
                "-" if entry.ratio is None else f"{entry.ratio:.2f}",
                *(f"{value:,.2f}" for value in entry.latency_ms.values()),
                ", ".join(f"{count} {kind}" for kind, count in entry.errors.items()) or "0",
                "-" if entry.lost is None else f"{entry.lost} of {entry.requests:,}",
                f"{entry.sampled_whole}/{entry.sampled}" if entry.sampled else "-",
                f"{entry.cpu_per_1000:.3f}",
                f"{entry.postgres_per_1000:.3f}",
                f"{entry.generator_per_1000:.3f}",
                f"{entry.pss_bytes / 1e6:,.0f}",
            )
            for entry in self.summaries
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "method": self.method,
            "environment": dict(self.environment),
            "load": asdict(self.load) | {"workers": self.workers, "consume": self.consume},
            "baseline": self.baseline,
            "summaries": [summary.to_json() for summary in self.summaries],
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "notices": self.notices,
            "rounds": [entry.to_json() for entry in self.rounds],
        }

    def to_markdown(self) -> str:
        machine = self.environment
        lines = [
            f"# Load test: {self.load.scenario}",
            "",
            self.method,
            "",
            "| " + " | ".join(COLUMNS) + " |",
            "|---" + "|---:" * (len(COLUMNS) - 1) + "|",
            *("| " + " | ".join(row) + " |" for row in self.rows()),
            "",
        ]
        if self.verdicts:
            lines += ["| figure to reach | bound | measured | reached |", "|---|---|---:|---|"]
            lines += [f"| {v.what} | {v.bound} | {v.measured:.2f} | {_yes(v.reached)} |" for v in self.verdicts]
            lines += [""]
        lines += [f"- {notice}" for notice in self.notices]
        lines += [
            f"- Machine: {machine['cpu']}, {machine['cpus']} CPUs, {machine['memory_bytes'] / 2**30:.0f} GiB, "
            f"{machine['system']}; load average before: {machine['load_average_before']}",
            f"- Python {machine['python']}; PostgreSQL {machine['postgres']}; {machine['wrk'] or 'no wrk'}; "
            + ", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
            f"- Commit: {machine['commit']}",
        ]
        return "\n".join(lines) + "\n"


def show(comparison: Comparison, console: Console) -> None:
    """The table and the verdicts, in the terminal."""
    # A contender a column: a terminal is too narrow for a figure a column.
    rows = comparison.rows()
    table = Table(title=f"{comparison.load.scenario}: {comparison.load.method}")
    table.add_column("medians")
    for row in rows:
        table.add_column(row[0], justify="right")
    for number, column in enumerate(COLUMNS[1:], start=1):
        table.add_row(column, *(row[number] for row in rows))
    console.print(table)
    for verdict in comparison.verdicts:
        mark = "[green]reached[/]" if verdict.reached else "[red]missed[/]"
        console.print(f"{mark}  {verdict.what}: {verdict.measured:.2f} ({verdict.bound})")
    for notice in comparison.notices:
        console.print(f"[yellow]{notice}[/]")


def save(comparison: Comparison, parent: Path = RESULTS) -> Path:
    """Writes comparison.json, .md and .png into a new folder under `parent`; returns the folder."""
    folder = new_folder(parent, comparison.load.scenario)
    write_json(folder / "comparison.json", comparison.to_json())
    (folder / "comparison.md").write_text(comparison.to_markdown())
    from .plot import plot  # matplotlib takes a second to import, which no other command should pay

    plot(comparison.rounds, comparison.summaries, comparison.load.scenario, folder / "comparison.png")
    return folder


def new_folder(parent: Path, name: str) -> Path:
    folder = parent / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}"
    folder.mkdir(parents=True)
    return folder


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")


def _yes(value: bool) -> str:
    return "yes" if value else "no"

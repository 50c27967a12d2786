from __future__ import annotations

import json
from pathlib import Path

from loadtest import report
from loadtest.figures import Round
from loadtest.histogram import Histogram
from loadtest.load import Load

ENVIRONMENT = {
    "cpu": "a CPU",
    "cpus": 2,
    "memory_bytes": 2**33,
    "system": "Linux",
    "load_average_before": [0.1],
    "python": "3.11",
    "postgres": "18.4",
    "wrk": "",
    "versions": {"aiohttp": "3.14.5"},
    "commit": "abc",
}


def entry(contender: str, requests: int, lost: int | None, idle_cpu: float = 0.0) -> Round:
    return Round(
        contender=contender, number=1, requests=requests, seconds=1.0, latencies=Histogram.of([(1000, 10)]), lost=lost,
        idle_cpu=idle_cpu, foreign_cpu=0.4,
    )  # fmt: skip


def comparison() -> report.Comparison:
    return report.Comparison(
        load=Load(scenario="hello"), workers=1, consume=False, baseline="aiohttp", environment=ENVIRONMENT,
        rounds=[entry("aiohttp", 1000, None), entry("flux", 600, 2, idle_cpu=0.5)],
    )  # fmt: skip


def test_a_row_has_a_cell_for_every_column() -> None:
    assert {len(row) for row in comparison().rows()} == {len(report.COLUMNS)}


def test_losses_and_busy_neighbours_are_not_hidden() -> None:
    text = comparison().to_markdown()
    assert "2 of 600" in text
    assert "idle contenders used 0.50 CPUs" in text
    assert "other programs used 0.40 CPUs" in text
    assert "| hello: requests/s, Flux recording / bare aiohttp | at least 0.5 | 0.60 | yes |" in text


def test_a_run_leaves_json_markdown_and_a_plot(tmp_path: Path) -> None:
    folder = report.save(comparison(), tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["comparison.json", "comparison.md", "comparison.png"]
    stored = json.loads((folder / "comparison.json").read_text())
    assert stored["rounds"][1]["lost"] == 2
    assert "interleaved rounds" in stored["method"]
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")

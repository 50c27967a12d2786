"""Prometheus' text format."""

from __future__ import annotations

import re

from flux.master.metrics import Metrics

LINE = re.compile(r'[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\.)*"(,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? [0-9.e+-]+')


def test_text() -> None:
    metrics = Metrics()
    metrics.requests.add("hello", 200)
    metrics.requests.add("hello", 200)
    metrics.refused.add("ROUTE_NOT_FOUND")
    metrics.duration.observe("hello", 0.0004)
    metrics.duration.observe("hello", 0.0005)
    metrics.duration.observe("hello", 99.0)
    metrics.records_stored.add(by=7)
    metrics.gauge("in_flight", "Now.", lambda: 3)
    metrics.gauge("ring_fill", "By worker.", lambda: {(1,): 0.5, (2,): 0.25}, "worker")
    text = metrics.text()
    for line in (
        'flux_requests_total{function="hello",status="200"} 2',
        'flux_refused_total{code="ROUTE_NOT_FOUND"} 1',
        'flux_request_duration_seconds_bucket{function="hello",le="0.0005"} 2',
        'flux_request_duration_seconds_bucket{function="hello",le="30.0"} 2',
        'flux_request_duration_seconds_bucket{function="hello",le="+Inf"} 3',
        'flux_request_duration_seconds_sum{function="hello"} 99.000900',
        'flux_request_duration_seconds_count{function="hello"} 3',
        "flux_records_stored_total 7",
        "flux_worker_respawns_total 0",
        "flux_in_flight 3",
        'flux_ring_fill{worker="2"} 0.25',
    ):
        assert line in text.splitlines()


def test_every_line_is_well_formed() -> None:
    metrics = Metrics()
    metrics.refused.add('odd "code"\\\n')
    lines = metrics.text().splitlines()
    assert all(line.startswith(("# HELP flux_", "# TYPE flux_")) or LINE.fullmatch(line) for line in lines)
    assert metrics.text().endswith("\n")


def test_large_counts_are_not_rounded() -> None:
    metrics = Metrics()
    metrics.records_stored.add(by=123_456_789)
    assert "flux_records_stored_total 123456789" in metrics.text()

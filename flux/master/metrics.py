"""What /metrics shows, in Prometheus' text format.

Counters and histograms are fed by whoever sees the event; gauges are read when they are asked for. Labels are kept few
(functions of the manifest, statuses, error codes), so their number is bounded by what is deployed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

# Seconds. From a warm function without I/O to the default time limit.
DURATION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str | int, ...]
Reading = float | Mapping[Labels, float]


class Counter:
    """Counts events by labels."""

    __slots__ = ("_help", "_labels", "_name", "values")

    def __init__(self, name: str, help_text: str, *labels: str) -> None:
        self._name, self._help, self._labels = name, help_text, labels
        self.values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, *labels: str | int, by: float = 1) -> None:
        self.values[labels] = self.values.get(labels, 0) + by

    def lines(self) -> Iterator[str]:
        yield from _heading(self._name, "counter", self._help)
        for labels, value in sorted(self.values.items(), key=str):
            yield f"{self._name}{_braces(self._labels, labels)} {_number(value)}"


class Histogram:
    """Counts durations in seconds by one label, in the buckets above."""

    __slots__ = ("_help", "_label", "_name", "_series")

    def __init__(self, name: str, help_text: str, label: str) -> None:
        self._name, self._help, self._label = name, help_text, label
        # One count per bucket, then the overflow, then the sum.
        self._series: dict[str, list[float]] = {}

    def observe(self, label: str, seconds: float) -> None:
        series = self._series.get(label)
        if series is None:
            series = self._series[label] = [0] * (len(DURATION_BUCKETS) + 2)
        series[bisect_left(DURATION_BUCKETS, seconds)] += 1
        series[-1] += seconds

    def lines(self) -> Iterator[str]:
        yield from _heading(self._name, "histogram", self._help)
        for label, series in sorted(self._series.items()):
            total = 0.0
            for bound, count in zip([*DURATION_BUCKETS, "+Inf"], series[:-1], strict=True):
                total += count
                yield f"{self._name}_bucket{_braces((self._label, 'le'), (label, str(bound)))} {_number(total)}"
            yield f"{self._name}_sum{_braces((self._label,), (label,))} {series[-1]:.6f}"
            yield f"{self._name}_count{_braces((self._label,), (label,))} {_number(total)}"


class Gauge:
    """A value that is read when it is shown: a number, or numbers by labels."""

    __slots__ = ("_help", "_labels", "_name", "_read")

    def __init__(self, name: str, help_text: str, read: Callable[[], Reading], *labels: str) -> None:
        self._name, self._help, self._read, self._labels = name, help_text, read, labels

    def lines(self) -> Iterator[str]:
        yield from _heading(self._name, "gauge", self._help)
        reading = self._read()
        for labels, value in reading.items() if isinstance(reading, Mapping) else [((), reading)]:
            yield f"{self._name}{_braces(self._labels, labels)} {_number(value)}"


class Metrics:
    """All metrics of the master."""

    def __init__(self) -> None:
        self.requests = Counter("flux_requests_total", "Requests that ran a function.", "function", "status")
        self.duration = Histogram("flux_request_duration_seconds", "From head to response.", "function")
        self.refused = Counter("flux_refused_total", "Requests answered with an error before a function ran.", "code")
        self.respawns = Counter("flux_worker_respawns_total", "Workers replaced after they died.")
        self.records_stored = Counter("flux_records_stored_total", "Executions that Postgres has.")
        self.records_dropped = Counter("flux_records_dropped_total", "Executions whose record was lost.")
        self._all: list[Counter | Histogram | Gauge] = [
            self.requests,
            self.duration,
            self.refused,
            self.respawns,
            self.records_stored,
            self.records_dropped,
        ]

    def gauge(self, name: str, help_text: str, read: Callable[[], Reading], *labels: str) -> None:
        """Shows what `read` returns as `flux_<name>`: workers alive, ring fill, record backlog, queue depth ..."""
        self._all.append(Gauge("flux_" + name, help_text, read, *labels))

    def text(self) -> str:
        return "\n".join(line for metric in self._all for line in metric.lines()) + "\n"


def _heading(name: str, kind: str, help_text: str) -> tuple[str, str]:
    return f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"


def _braces(names: tuple[str, ...], values: Labels) -> str:
    if not names:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)) + "}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(value: str | int) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

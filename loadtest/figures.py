"""From rounds to figures: medians, paired ratios, and the figures that Flux has to reach. Pure.

Rounds are interleaved (A B C A B C ...), because a machine's speed swings from minute to minute. So a ratio is taken
inside each round, between neighbours in time, and the median of those ratios is reported, not the ratio of medians.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from .histogram import Histogram

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


@dataclass(frozen=True, kw_only=True)
class Round:
    """One contender under load once.

    `requests` were answered as expected; `lost` of them have no record (None: this contender records nothing);
    `sampled` IDs were looked up one by one, `sampled_whole` of them have their whole trace. CPU times are seconds: the
    contender's own processes, Postgres, and the load generator. `idle_cpu` is how many CPUs the idle contenders used
    meanwhile, `foreign_cpu` how many were used by programs that have nothing to do with the run.
    """

    contender: str
    number: int
    requests: int
    seconds: float
    latencies: Histogram
    errors: Mapping[str, int] = field(default_factory=dict)
    lost: int | None = None
    sampled: int = 0
    sampled_whole: int = 0
    own_cpu_s: float = 0.0
    postgres_cpu_s: float = 0.0
    generator_cpu_s: float = 0.0
    idle_cpu: float = 0.0
    foreign_cpu: float = 0.0
    pss_bytes: int = 0

    @property
    def rate(self) -> float:
        """Requests/s that were answered as expected."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def cpu_per_1000(self) -> float:
        """CPU seconds a thousand requests, Postgres included, the generator not."""
        return 1000 * (self.own_cpu_s + self.postgres_cpu_s) / self.requests if self.requests else 0.0

    def percentile_ms(self, percent: float) -> float:
        return self.latencies.percentile(percent) / 1000

    def to_json(self) -> dict[str, Any]:
        return {
            "contender": self.contender,
            "round": self.number,
            "requests": self.requests,
            "seconds": round(self.seconds, 4),
            "requests_per_s": round(self.rate, 1),
            "latency_ms": {f"p{percent:g}": self.percentile_ms(percent) for percent in PERCENTILES}
            | {"max": self.latencies.maximum_us / 1000},
            "errors": dict(self.errors),
            "lost": self.lost,
            "sampled": self.sampled,
            "sampled_whole": self.sampled_whole,
            "cpu_s": {"own": self.own_cpu_s, "postgres": self.postgres_cpu_s, "generator": self.generator_cpu_s},
            "cpu_s_per_1000": round(self.cpu_per_1000, 4),
            "idle_cpu": round(self.idle_cpu, 4),
            "foreign_cpu": round(self.foreign_cpu, 4),
            "pss_bytes": self.pss_bytes,
        }


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One contender's medians over its rounds; `errors`, `lost` and the samples are sums, `pss_bytes` the peak."""

    contender: str
    rounds: int
    rate: float
    ratio: float | None
    latency_ms: Mapping[float, float]
    errors: Mapping[str, int]
    requests: int
    lost: int | None
    sampled: int
    sampled_whole: int
    cpu_per_1000: float
    postgres_per_1000: float
    generator_per_1000: float
    idle_cpu: float
    foreign_cpu: float
    pss_bytes: int

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"latency_ms": {f"p{percent:g}": value for percent, value in self.latency_ms.items()}}


def summarize(rounds: Sequence[Round], baseline: str) -> list[Summary]:
    """One summary a contender, in order of appearance; ratios are requests/s to those of `baseline`."""
    return [_summary(rounds, name, baseline) for name in dict.fromkeys(entry.contender for entry in rounds)]


def paired_ratio(rounds: Sequence[Round], one: str, other: str, value: Callable[[Round], float]) -> float | None:
    """The median over rounds of `one`'s value / `other`'s value in the same round; None when they never met."""
    found = {(entry.contender, entry.number): value(entry) for entry in rounds}
    pairs = [(found[one, number], found.get((other, number), 0.0)) for name, number in found if name == one]
    ratios = [left / right for left, right in pairs if right]
    return median(ratios) if ratios else None


def _summary(rounds: Sequence[Round], name: str, baseline: str) -> Summary:
    own = [entry for entry in rounds if entry.contender == name]

    def middle(value: Callable[[Round], float]) -> float:
        return median(value(entry) for entry in own)

    def per_1000(cpu_s: float, entry: Round) -> float:
        return 1000 * cpu_s / entry.requests if entry.requests else 0.0

    lost = [entry.lost for entry in own if entry.lost is not None]
    errors = {kind for entry in own for kind in entry.errors}
    return Summary(
        contender=name,
        rounds=len(own),
        rate=middle(lambda entry: entry.rate),
        ratio=paired_ratio(rounds, name, baseline, lambda entry: entry.rate),
        latency_ms={percent: median(entry.percentile_ms(percent) for entry in own) for percent in PERCENTILES},
        errors={kind: sum(entry.errors.get(kind, 0) for entry in own) for kind in sorted(errors)},
        requests=sum(entry.requests for entry in own),
        lost=sum(lost) if lost else None,
        sampled=sum(entry.sampled for entry in own),
        sampled_whole=sum(entry.sampled_whole for entry in own),
        cpu_per_1000=middle(lambda entry: entry.cpu_per_1000),
        postgres_per_1000=middle(lambda entry: per_1000(entry.postgres_cpu_s, entry)),
        generator_per_1000=middle(lambda entry: per_1000(entry.generator_cpu_s, entry)),
        idle_cpu=max(entry.idle_cpu for entry in own),
        foreign_cpu=middle(lambda entry: entry.foreign_cpu),
        pss_bytes=max(entry.pss_bytes for entry in own),
    )


@dataclass(frozen=True, kw_only=True)
class Target:
    """A figure that Flux has to reach: the paired ratio of `value` between two contenders, at least or at most."""

    what: str
    scenario: str
    one: str
    other: str
    value: Callable[[Round], float]
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came out for a target."""

    what: str
    bound: str
    measured: float
    reached: bool


TARGETS = (
    Target(
        what="hello: requests/s, Flux recording / bare aiohttp",
        scenario="hello", one="flux", other="aiohttp", value=lambda entry: entry.rate, at_least=0.5,
    ),
    Target(
        what="hello: requests/s, Flux recording on / off",
        scenario="hello", one="flux", other="flux-off", value=lambda entry: entry.rate, at_least=0.9,
    ),
    Target(
        what="create_user: requests/s, Flux recording / FastAPI + OpenTelemetry",
        scenario="create_user", one="flux", other="otel", value=lambda entry: entry.rate, at_least=2.5,
    ),
    Target(
        what="create_user: p99, Flux recording / FastAPI + OpenTelemetry",
        scenario="create_user", one="flux", other="otel", value=lambda entry: entry.percentile_ms(99), at_most=0.5,
    ),
)  # fmt: skip


def verdicts(rounds: Sequence[Round], scenario: str) -> list[Verdict]:
    """The targets that these rounds decide."""
    found = []
    for target in TARGETS:
        if target.scenario != scenario:
            continue
        measured = paired_ratio(rounds, target.one, target.other, target.value)
        if measured is None:
            continue
        low, high = target.at_least or 0.0, target.at_most
        bound = f"at least {low:g}" if high is None else f"at most {high:g}"
        reached = measured >= low and (high is None or measured <= high)
        found.append(Verdict(what=target.what, bound=bound, measured=measured, reached=reached))
    return found

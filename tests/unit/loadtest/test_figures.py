from __future__ import annotations

from typing import Any

import pytest

from loadtest.figures import Round, paired_ratio, summarize, verdicts
from loadtest.histogram import Histogram


def made(contender: str, number: int, requests: int, *, p99_us: int = 1000, **more: Any) -> Round:
    return Round(
        contender=contender,
        number=number,
        requests=requests,
        seconds=2.0,
        latencies=Histogram.of([(p99_us, 100)]),
        **more,
    )


def test_rates_and_cpu_are_per_request_answered() -> None:
    entry = made("flux", 1, 4000, own_cpu_s=3.0, postgres_cpu_s=1.0, generator_cpu_s=9.0)
    assert entry.rate == 2000
    assert entry.cpu_per_1000 == 1.0


def test_a_round_without_answers_has_no_figures_and_does_not_fail() -> None:
    entry = made("flux", 1, 0)
    assert (entry.rate, entry.cpu_per_1000) == (0.0, 0.0)
    assert summarize([entry], "flux")[0].ratio is None


def test_ratios_are_taken_within_rounds_so_a_slow_minute_does_not_matter() -> None:
    # The machine is ten times slower in round 2; within each round flux is at half.
    rounds = [made("aiohttp", 1, 1000), made("flux", 1, 500), made("aiohttp", 2, 100), made("flux", 2, 50)]
    assert paired_ratio(rounds, "flux", "aiohttp", lambda entry: entry.rate) == 0.5


def test_contenders_that_never_met_have_no_ratio() -> None:
    rounds = [made("flux", 1, 500), made("aiohttp", 2, 1000)]
    assert paired_ratio(rounds, "flux", "aiohttp", lambda entry: entry.rate) is None


def test_a_summary_has_medians_but_sums_what_must_not_be_hidden() -> None:
    rounds = [
        made("flux", 1, 100, lost=0, errors={"timeout": 1}, pss_bytes=5, sampled=10, sampled_whole=10),
        made("flux", 2, 300, lost=7, errors={"timeout": 2, "connection": 1}, pss_bytes=9, sampled=10, sampled_whole=8),
        made("flux", 3, 200, lost=0, pss_bytes=1, sampled=10, sampled_whole=10),
    ]
    (summary,) = summarize(rounds, "flux")
    assert summary.rate == 100.0
    assert summary.lost == 7
    assert summary.errors == {"connection": 1, "timeout": 3}
    assert (summary.sampled, summary.sampled_whole) == (30, 28)
    assert summary.pss_bytes == 9


def test_nothing_lost_is_not_the_same_as_nothing_recorded() -> None:
    recorded, unrecorded = summarize([made("flux", 1, 1, lost=0), made("aiohttp", 1, 1)], "aiohttp")
    assert recorded.lost == 0
    assert unrecorded.lost is None


@pytest.mark.parametrize(("flux", "reached"), [(500, True), (499, False)])
def test_a_verdict_compares_with_the_bound(flux: int, reached: bool) -> None:
    rounds = [made("aiohttp", 1, 1000), made("flux", 1, flux)]
    (verdict,) = verdicts(rounds, "hello")
    assert verdict.reached is reached
    assert verdict.bound == "at least 0.5"


def test_a_latency_has_an_upper_bound() -> None:
    rounds = [made("otel", 1, 100, p99_us=160_000), made("flux", 1, 300, p99_us=40_000)]
    found = {verdict.what: verdict for verdict in verdicts(rounds, "create_user")}
    latency = next(verdict for what, verdict in found.items() if "p99" in what)
    assert latency.measured == pytest.approx(0.25, rel=0.01)
    assert (latency.bound, latency.reached) == ("at most 0.5", True)


def test_rounds_of_baselines_alone_decide_nothing() -> None:
    assert verdicts([made("aiohttp", 1, 1000), made("otel", 1, 1)], "hello") == []

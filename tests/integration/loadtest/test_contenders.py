"""Real runs of the baselines, as short as they can be: that they work and record, not how fast they are."""

from __future__ import annotations

import pytest

from loadtest.compare import compare
from loadtest.contender import AIOHTTP, OTEL
from loadtest.kill import Kill, Plan, kill_under_load
from loadtest.load import Load

pytest.importorskip("fastapi", reason="the dependency group 'load' is not installed")


async def test_hello_compares_what_is_recorded_with_what_is_not() -> None:
    load = Load(scenario="hello", seconds=1, rounds=1, connections=4, warmup_s=0, sample=20)
    rounds, version = await compare(load, [AIOHTTP, OTEL])
    assert version.startswith("18.")
    aiohttp, otel = rounds
    assert (aiohttp.contender, aiohttp.lost, aiohttp.sampled) == ("aiohttp", None, 0)
    assert (otel.contender, otel.lost, otel.sampled, otel.sampled_whole) == ("otel", 0, 20, 20)
    for entry in rounds:
        assert entry.requests > 0
        assert not entry.errors
        assert entry.latencies.total >= entry.requests
        assert entry.own_cpu_s > 0
        assert entry.pss_bytes > 1_000_000


async def test_mixed_creates_users_and_leaves_a_whole_trace_of_each() -> None:
    load = Load(scenario="mixed", seconds=1, rounds=1, connections=4, generator="client", warmup_s=0, sample=20)
    (otel,), _ = await compare(load, [AIOHTTP, OTEL])
    assert otel.contender == "otel", "bare aiohttp has no create_user and stays out"
    assert (otel.errors, otel.lost, otel.sampled_whole) == ({}, 0, 20)
    assert otel.postgres_cpu_s > 0


async def test_a_kill_is_counted_and_the_contender_serves_again() -> None:
    plan = Plan(contender=OTEL, victim="all", kills=1, seconds=0.3, connections=4)
    seen: list[Kill] = []
    kills = await kill_under_load(plan, seen.append)
    assert kills == seen
    # How much is lost is chance; that every answer is accounted for is not.
    assert all(entry.answered > 0 and 0 <= entry.lost <= entry.answered for entry in kills)
    assert all(entry.victim.startswith("all ") for entry in kills)

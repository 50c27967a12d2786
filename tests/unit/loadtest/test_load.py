from __future__ import annotations

from typing import Any

import pytest

from loadtest.contender import AIOHTTP, OTEL
from loadtest.kill import Plan
from loadtest.load import Load, OutOfBounds


@pytest.mark.parametrize(
    "excess",
    [{"seconds": 0}, {"seconds": 601}, {"rounds": 101}, {"connections": 0}, {"connections": 5_000}, {"rate": 1e9}],
)
def test_every_dimension_is_bounded(excess: dict[str, Any]) -> None:
    with pytest.raises(OutOfBounds, match=next(iter(excess))):
        Load(**excess)


@pytest.mark.parametrize("beyond", [{"scenario": "mixed"}, {"rate": 100.0}])
def test_wrk_is_not_asked_for_what_it_cannot_do(beyond: dict[str, Any]) -> None:
    with pytest.raises(OutOfBounds, match="--generator client"):
        Load(generator="wrk", **beyond)


def test_the_open_loop_is_always_the_own_client() -> None:
    assert not Load(rate=100.0).by_wrk
    assert "open loop, 100 requests/s" in Load(rate=100.0).method


def test_kills_are_bounded_and_need_a_record() -> None:
    with pytest.raises(OutOfBounds, match="at most"):
        Plan(contender=OTEL, victim="all", kills=501)
    with pytest.raises(OutOfBounds, match="records nothing"):
        Plan(contender=AIOHTTP, victim="all")

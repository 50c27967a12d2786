"""The token bucket, against the textbook one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.errors import RateLimited
from flux.master.gateway.rate_limit import TokenBuckets


def taken(buckets: TokenBuckets, bucket: str, now: float) -> bool:
    try:
        buckets.take(bucket, now)
    except RateLimited:
        return False
    return True


def test_a_burst_then_the_rate() -> None:
    buckets = TokenBuckets(rate=10, burst=3)
    assert [taken(buckets, "a", 5.0) for _ in range(5)] == [True, True, True, False, False]
    assert taken(buckets, "b", 5.0)
    assert not taken(buckets, "a", 5.09)
    assert taken(buckets, "a", 5.1)
    assert not taken(buckets, "a", 5.15)
    assert [taken(buckets, "a", 50.0) for _ in range(4)] == [True, True, True, False]


def test_headers_say_what_is_left() -> None:
    buckets = TokenBuckets(rate=1, burst=3)
    assert dict(buckets.take("a", 0.0)) == {"ratelimit-limit": "3", "ratelimit-remaining": "2", "ratelimit-reset": "1"}
    assert dict(buckets.take("a", 0.0))["ratelimit-remaining"] == "1"
    assert dict(buckets.take("a", 0.5))["ratelimit-remaining"] == "0"
    with pytest.raises(RateLimited) as caught:
        buckets.take("a", 0.6)
    assert caught.value.status == 429
    assert caught.value.headers == {
        "Retry-After": "1",
        "ratelimit-limit": "3",
        "ratelimit-remaining": "0",
        "ratelimit-reset": "3",
    }


def test_retry_after_is_enough() -> None:
    buckets = TokenBuckets(rate=0.1, burst=1)
    buckets.take("a", 100.0)
    with pytest.raises(RateLimited) as caught:
        buckets.take("a", 101.0)
    wait = int(caught.value.headers["Retry-After"])
    assert wait == 9
    assert taken(buckets, "a", 101.0 + wait)


def test_a_clock_that_goes_back_grants_nothing() -> None:
    buckets = TokenBuckets(rate=1, burst=1)
    assert taken(buckets, "a", 10.0)
    assert not taken(buckets, "a", 9.0)


def test_the_table_is_bounded_and_full_buckets_go_first() -> None:
    buckets = TokenBuckets(rate=1, burst=1, capacity=10)
    for number in range(1000):
        buckets.take(f"caller {number}", number * 0.01)
        assert len(buckets) <= 10
    buckets.take("late", 1000.0)
    for number in range(5):
        buckets.take(f"later {number}", 2000.0)
    assert len(buckets) == 5


@pytest.mark.parametrize(("rate", "burst", "capacity"), [(0, 1, 1), (-1, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_nonsense_is_refused(rate: float, burst: int, capacity: int) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        TokenBuckets(rate=rate, burst=burst, capacity=capacity)


# Times in units of 1/64 s and rates as powers of two: exact in binary, so that model and code agree on every edge.
@given(
    st.sampled_from([0.25, 1.0, 4.0, 32.0]),
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 200)), max_size=60),
)
def test_behaves_like_the_textbook_bucket(rate: float, burst: int, calls: list[tuple[str, int]]) -> None:
    buckets = TokenBuckets(rate=rate, burst=burst)
    tokens = {"a": float(burst), "b": float(burst)}
    last = {"a": 0.0, "b": 0.0}
    now = 0.0
    for caller, wait in calls:
        now += wait / 64
        tokens[caller] = min(burst, tokens[caller] + (now - last[caller]) * rate)
        last[caller] = now
        granted = tokens[caller] >= 1
        tokens[caller] -= granted
        assert taken(buckets, caller, now) is granted

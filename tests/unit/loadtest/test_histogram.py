from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.histogram import Histogram, bucket_of, highest_of

microseconds = st.integers(min_value=0, max_value=10**9)


@given(microseconds)
def test_a_bucket_holds_its_value_and_is_narrow(value: int) -> None:
    highest = highest_of(bucket_of(value))
    assert value <= highest <= value * (1 + 1 / 1024)
    assert bucket_of(highest) == bucket_of(value)


@given(microseconds)
def test_buckets_leave_no_gap(value: int) -> None:
    assert bucket_of(highest_of(bucket_of(value)) + 1) == bucket_of(value) + 1


@given(st.lists(microseconds, min_size=1, max_size=200), st.floats(min_value=0, max_value=100))
def test_percentiles_are_those_of_the_sorted_list(values: list[int], percent: float) -> None:
    histogram = Histogram.of((value, 1) for value in values)
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    assert exact <= histogram.percentile(percent) <= exact * (1 + 1 / 1024)
    assert histogram.percentile(100) == max(values)


@given(st.lists(microseconds, max_size=50), st.lists(microseconds, max_size=50))
def test_merging_is_recording_both(left: list[int], right: list[int]) -> None:
    merged = Histogram.of((value, 1) for value in left)
    merged.merge(Histogram.of((value, 1) for value in right))
    both = Histogram.of((value, 1) for value in left + right)
    assert [merged.percentile(p) for p in (0, 50, 99, 100)] == [both.percentile(p) for p in (0, 50, 99, 100)]
    assert merged.total == both.total == len(left) + len(right)


def test_an_empty_histogram_has_no_latency() -> None:
    assert Histogram().percentile(99) == 0


def test_a_clock_that_steps_back_counts_as_nothing() -> None:
    assert Histogram.of([(-3, 1)]).percentile(100) == 0


@pytest.mark.parametrize("percent", [-0.1, 100.1])
def test_there_is_no_percentile_outside_of_0_to_100(percent: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        Histogram().percentile(percent)

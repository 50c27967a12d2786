from __future__ import annotations

from typing import Any

import pytest

from flux.record.hints import Hint, hints, shape


def call(id: int, args: Any = None, *, start: int | None = None, took: int = 1000, **more: Any) -> dict[str, Any]:
    made = {"id": id, "parent": 2, "kind": "db", "name": "db:select(orders)", "op": "db.findOne", "status": "ok"}
    args = {"table": "orders", "where": {"id": id}} if args is None else args
    return {**made, "input": args, "start_us": id * 2000 if start is None else start, "duration_us": took, **more}


def of(*spans: dict[str, Any], ms: float = 1000.0) -> list[Hint]:
    function = {"id": 2, "parent": 1, "kind": "function", "name": "checkout", "status": "ok"}
    return hints({"request_id": "4f9a3b2c-1d2e", "duration_ms": ms, "spans": [function, *spans]})


def test_n_plus_one() -> None:
    (hint,) = of(*(call(id) for id in range(3, 9)))
    remedy = "one query with { in: [...] } reads the rows at once"
    assert hint.message == f"N+1: db:select(orders) ran 6 times in checkout, 6ms in all: {remedy}"
    assert (hint.kind, hint.spans, hint.table, hint.ms) == ("n_plus_one", (3, 4, 5, 6, 7, 8), "orders", 6.0)
    assert hint.to_json()["indexes_missing"] == []


@pytest.mark.parametrize(
    "spans",
    [
        [call(id) for id in range(3, 7)],
        [call(id, start=0) for id in range(3, 12)],  # made at once
        [call(id, parent=id) for id in range(3, 12)],
        [call(id, {"table": "orders", "where": {f"c{id}": 1}}) for id in range(3, 12)],
        [call(id, {"table": "orders", "columns": [f"c{id}"]}) for id in range(3, 12)],
        [call(id, {"text": f"SELECT {id}"}, name="db:sql(SELECT)") for id in range(3, 12)],
        [call(id, kind="outbound") for id in range(3, 12)],
    ],
)
def test_what_is_none(spans: list[dict[str, Any]]) -> None:
    assert of(*spans) == []


def test_calls_at_once_count_as_the_longest_chain() -> None:
    pairs = [call(id, start=id // 2 * 2000) for id in range(4, 16)]
    (hint,) = of(*pairs)
    assert len(hint.spans) == 6


def test_slow_is_long_or_most_of_it() -> None:
    (long,) = of(call(3, took=50_001))
    assert long.message == "slow: db:select(orders) took 50ms"
    assert long.next == "flux explain --request 4f9a3b2c"
    (most,) = of(call(3, took=24_000), ms=40)
    assert most.message == "slow: db:select(orders) took 24ms, 60% of the execution"
    assert of(call(3, took=50_000)) == []
    assert of(call(3, took=24_000), ms=39) == []  # half of little
    assert of(call(3, took=90_000, status="open", duration_us=None)) == []
    (sql,) = of(call(3, {"text": "SELECT"}, name="db:sql(SELECT)", took=60_000))
    assert sql.table is None


def test_what_is_n_plus_one_is_not_called_slow_besides() -> None:
    found = of(*(call(id, start=id * 100_000, took=60_000) for id in range(3, 9)))
    assert [hint.kind for hint in found] == ["n_plus_one"]


def test_shape_is_all_but_values() -> None:
    same = {"table": "a", "where": {"x": {"in": [1, 2]}, "y": 1}, "limit": 3}
    assert shape(same) == shape({"limit": 9, "where": {"y": "b", "x": {"in": [5]}}, "table": "a"})
    for other in (
        {**same, "table": "b"},
        {**same, "order_by": "x"},
        {**same, "where": {"x": {"nin": [1]}, "y": 1}},
        {**same, "where": {"x": {"in": [1]}}},
    ):
        assert shape(other) != shape(same)
    assert shape({"select": {"a": "b"}}) != shape({"select": {"a": "c"}})


def test_an_execution_without_spans() -> None:
    assert hints({"request_id": "x"}) == []

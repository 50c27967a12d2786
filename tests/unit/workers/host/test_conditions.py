from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.failure import HostError
from flux.workers.host.conditions import OPERATORS, WITHOUT_VALUE, order, split


@pytest.mark.parametrize(
    ("where", "shape", "values"),
    [
        ({}, (), []),
        ({"a": 1, "b": "x"}, (("a", "eq"), ("b", "eq")), [1, "x"]),
        ({"a": None}, (("a", "null"),), []),
        ({"a": {"eq": None}}, (("a", "null"),), []),
        ({"a": {"neq": None}}, (("a", "not_null"),), []),
        ({"a": {"is_null": True}}, (("a", "null"),), []),
        ({"a": {"is_null": False}}, (("a", "not_null"),), []),
        ({"a": {"gte": 1, "lt": 5}}, (("a", "gte"), ("a", "lt")), [1, 5]),
        ({"a": {"in": [1, 2]}}, (("a", "in"),), [[1, 2]]),
        ({"a": {"in": []}}, (("a", "in"),), [[]]),
        ({"a": {"in": [1, None]}}, (("a", "in_or_null"),), [[1]]),
        ({"a": {"ilike": "%x%"}}, (("a", "ilike"),), ["%x%"]),
        ({"a": False}, (("a", "eq"),), [False]),
    ],
)
def test_taken_apart(where: Any, shape: Any, values: Any) -> None:
    assert split(where) == (shape, values)


@pytest.mark.parametrize(
    "where",
    [
        [],
        "id = 1",
        5,
        {"a": []},
        {"a": {}},
        {"a": {"=": 1}},
        {"a": {"or": [1]}},
        {"a": {"$gt": 1}},
        {"a": {"gt": None}},
        {"a": {"like": None}},
        {"a": {"in": 5}},
        {"a": {"in": None}},
        {"a": {"is_null": 1}},
        {f"c{number}": 1 for number in range(101)},
    ],
)
def test_refused(where: Any) -> None:
    with pytest.raises(HostError) as caught:
        split(where)
    assert (caught.value.code, caught.value.status) == ("INVALID_ARGUMENT", 400)


SCALARS = st.none() | st.booleans() | st.integers() | st.text()


@given(st.dictionaries(st.text(), SCALARS | st.dictionaries(st.sampled_from(OPERATORS), SCALARS | st.lists(SCALARS))))
def test_values_match_their_shape(where: dict[str, Any]) -> None:
    try:
        shape, values = split(where)
    except HostError:
        return
    assert len(values) == sum(operator not in WITHOUT_VALUE for _, operator in shape)
    assert {column for column, _ in shape} == set(where)
    assert None not in values


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        (None, ()),
        ("a", (("a", "ASC"),)),
        ({"a": "desc", "b": "asc"}, (("a", "DESC"), ("b", "ASC"))),
        (["a", {"b": "DESC"}], (("a", "ASC"), ("b", "DESC"))),
        ([], ()),
    ],
)
def test_order(order_by: Any, expected: Any) -> None:
    assert order(order_by) == expected


@pytest.mark.parametrize("order_by", [5, {"a": "down"}, {"a": None}, [["a"]], {"a": "desc; drop table x"}])
def test_order_refused(order_by: Any) -> None:
    with pytest.raises(HostError):
        order(order_by)

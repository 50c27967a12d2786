"""Equal keys mean equal queries, and what is refused never has the key of what is not."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux.data.query import parse, read
from flux.data.query.format import MAX_NESTING, MAX_SHAPE
from flux.data.query.model import Insert, Query
from flux.failure import HostError

from .documents import broken, documents, filled, templates


def outcome(document: Any) -> tuple[Query, list[Any]] | str:
    try:
        return parse(document)
    except HostError as error:
        return error.code


def key_of(document: Any) -> Any:
    try:
        return read(document)[0]
    except HostError as error:
        return error


@settings(deadline=None)
@given(documents())
def test_the_walk_finds_the_values_at_the_parser_s_slots(document: Any) -> None:
    query, values = parse(document)
    key, found = read(document)
    assert repr(found) == repr(values)  # 1 and True are equal, but not the same
    assert (key, found) == read(document)
    assert isinstance(key, str) or key == query


@settings(deadline=None)
@given(templates(), st.data())
def test_documents_that_differ_in_values_only_have_one_key(template: Any, data: st.DataObject) -> None:
    one, other = filled(data.draw, template), filled(data.draw, template)
    assert (read(one)[0] == read(other)[0]) == (parse(one)[0] == parse(other)[0])
    assert read(one)[0] == read(other)[0]


@settings(deadline=None)
@given(documents())
def test_the_order_of_an_operation_s_keys_does_not_matter(document: Any) -> None:
    turned = dict(reversed(document.items()))
    assert read(turned) == read(document)
    assert parse(turned) == parse(document)


@settings(max_examples=300, deadline=None)
@given(broken())
def test_equal_keys_mean_equal_queries(pair: tuple[Any, Any]) -> None:
    document, other = pair
    if key_of(document) == key_of(other):
        found = outcome(other)
        assert not isinstance(found, str)
        assert found[0] == parse(document)[0]
        assert repr(found[1]) == repr(read(other)[1])


@settings(max_examples=300, deadline=None)
@given(broken())
def test_whatever_is_sent_has_a_key_or_an_error_of_its_own(pair: tuple[Any, Any]) -> None:
    _, other = pair
    found, key = outcome(other), key_of(other)
    if isinstance(key, HostError):
        assert found == key.code
    else:
        hash(key)
        if not isinstance(key, str):
            assert not isinstance(found, str)
            assert found[0] == key


@settings(deadline=None)
@given(documents(), documents())
def test_different_queries_have_different_keys(one: Any, other: Any) -> None:
    if read(one)[0] == read(other)[0]:
        assert parse(one)[0] == parse(other)[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"where": {"a": 1}}, {"where": {"a": None}}),
        ({"where": {"a": {"eq": 1}}}, {"where": {"a": {"eq": None}}}),
        ({"where": {"a": {"in": [1]}}}, {"where": {"a": {"in": [1, None]}}}),
        ({"where": {"a": {"gt": 1}}}, {"where": {"a": {"gt": {"any": [1]}}}}),
        ({"where": {"a": {"gt": {"any": [1]}}}}, {"where": {"a": {"gt": {"all": [1]}}}}),
        ({"where": {"a": {"is": True}}}, {"where": {"a": {"is": None}}}),
        ({"where": {"a": {"is_null": True}}}, {"where": {"a": {"is_null": False}}}),
        ({"where": {"a": {"fts": "x"}}}, {"where": {"a": {"fts": {"query": "x", "config": "simple"}}}}),
        ({"where": {"a": 1, "b": 1}}, {"where": {"b": 1, "a": 1}}),
        ({"where": {"or": [{"a": 1}, {"b": 1}]}}, {"where": {"or": [{"a": 1, "b": 1}]}}),
        ({"columns": ["a", "b"]}, {"columns": ["a"]}),
        ({"columns": ["a"]}, {"distinct": ["a"]}),
        ({"limit": 1}, {"offset": 1}),
        ({"limit": 1}, {}),
        ({"one": True}, {}),
        ({"distinct": True}, {"distinct": ["**"]}),
        ({"order_by": "a"}, {"order_by": {"a": "desc"}}),
        ({"order_by": "a"}, {"order_by": {"a": {"nulls": "last"}}}),
        ({"select": {"a": {}}}, {"select": {"a": True}}),
        ({"select": {"a": {"relation": "b"}}}, {"select": {"a": "b"}}),
        ({"select": {"a": {"limit": 1}}}, {"select": {"a": {}}, "limit": 1}),
    ],
)
def test_what_matters_is_in_the_key(one: Any, other: Any) -> None:
    assert read({"table": "t", **one})[0] != read({"table": "t", **other})[0]
    assert parse({"table": "t", **one})[0] != parse({"table": "t", **other})[0]


def test_rows_alike_are_lists_so_that_their_number_does_not_matter() -> None:
    def insert(data: Any) -> Any:
        return {"table": "t", "operation": "insert", "data": data}

    two, three = insert([{"a": 1, "b": [2]}, {"b": [4], "a": 3}]), insert([{"a": None, "b": {}}] * 3)
    assert read(two)[1] == [[1, 3], [[2], [4]]]
    assert read(two)[0] == read(three)[0]
    query, _ = parse(three)
    assert isinstance(query, Insert)
    assert query.rows is None
    assert read(insert([{"a": 1}, {"b": 2}]))[0] != read(insert([{"a": 1}, {"a": 2}]))[0]
    assert read(insert([]))[1] == []
    assert read(insert([{}]))[0] != read(insert([{}, {}]))[0]


def test_a_deep_document_is_refused() -> None:
    for grow in (
        lambda inner: {"and": [inner]},
        lambda inner: {"not": inner},
        lambda inner: {"posts": {"some": inner}},
    ):
        where: dict[str, Any] = {"a": 1}
        for _ in range(MAX_NESTING - 1):
            where = grow(where)
        read({"table": "t", "where": where})
        for _ in range(2000):
            where = grow(where)
        with pytest.raises(HostError, match="levels deep") as caught:
            read({"table": "t", "where": where})
        assert caught.value.code == "QUERY_TOO_DEEP"
        assert len(str(caught.value)) < 500
    operators: dict[str, Any] = {"eq": 1}
    nested: dict[str, Any] = {}
    for _ in range(2000):
        operators, nested = {"not": operators}, {"select": {"posts": nested}}
    for document in ({"where": {"a": operators}}, nested):
        with pytest.raises(HostError) as caught:
            read({"table": "t", **document})
        assert caught.value.code == "QUERY_TOO_DEEP"


def test_a_key_has_a_bound() -> None:
    with pytest.raises(HostError) as caught:
        read({"table": "t", "where": {str(number): 1 for number in range(MAX_SHAPE)}})
    assert caught.value.code == "QUERY_TOO_LARGE"


@pytest.mark.parametrize(
    "document",
    [
        {"where": {**{str(number): 1 for number in range(MAX_SHAPE)}, "x": [1]}},
        {"where": {"or": [{}] * (MAX_SHAPE + 1), "x": [1]}},
        {"select": {str(number): "a" for number in range(MAX_SHAPE + 1)}, "columns": 5, "where": 5},
        {"operation": "insert", "data": [{str(number): 1} for number in range(60_000)]},
    ],
)
def test_hostile_documents_cost_no_more_than_their_size(document: Any) -> None:
    began = time.process_time()
    for take in (read, parse):
        with pytest.raises(HostError) as caught:
            take({"table": "t", **document})
        assert caught.value.code in ("QUERY_TOO_LARGE", "INVALID_QUERY")
        assert len(caught.value.payload()) < 2000
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "document", [None, [], "", 5, {}, {"table": None}, {"table": {}}, {"table": "t", "operation": []}]
)
def test_what_is_no_query_is_an_error(document: Any) -> None:
    with pytest.raises(HostError) as caught:
        read(document)
    assert caught.value.code == "INVALID_QUERY"

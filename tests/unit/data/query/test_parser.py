"""The whole grammar: what each form becomes, and what each mistake is told."""

from __future__ import annotations

from typing import Any

import pytest

from flux.data.query import parse
from flux.data.query.model import (
    ALWAYS,
    NEVER,
    Aggregate,
    Compare,
    Conflict,
    Count,
    Delete,
    Every,
    Insert,
    Is,
    Item,
    Measure,
    Nested,
    Not,
    Order,
    Related,
    Select,
    Slot,
    Some,
    Target,
    Update,
)
from flux.failure import HostError

A, B, C = Target("a"), Target("b"), Target("c")


def where(condition: Any) -> Any:
    query, _ = parse({"table": "t", "where": condition})
    assert isinstance(query, Select)
    return query.where


def item(name: str) -> Item:
    return Item(name, Target(name))


def test_select() -> None:
    document = {
        "table": "users",
        "select": {
            "id": True,
            "mail": "email",
            "theme": "settings->>theme",
            "posts": {"columns": ["id"], "where": {"a": 1}, "order_by": "id", "limit": 2, "offset": 3},
            "mine": {"relation": "posts"},
        },
        "where": {"a": 4},
        "order_by": [{"a": "desc"}, {"b": {"direction": "desc", "nulls": "last"}}, "c"],
        "limit": 5,
        "after": {"a": 6, "id": None},
        "distinct": ["a"],
        "one": True,
    }
    posts = Select("", (item("id"),), Compare(A, "eq", Slot(0)), (Order(Target("id")),), Slot(1), Slot(2))
    query, values = parse(document)
    assert query == Select(
        "users",
        (
            item("id"),
            Item("mail", Target("email")),
            Item("theme", Target("settings", ("theme",), True)),
            Nested("posts", "posts", posts),
            Nested("mine", "posts", Select("")),
        ),
        Compare(A, "eq", Slot(3)),
        (Order(A, True), Order(B, True, "last"), Order(C)),
        Slot(4),
        None,
        (("a", Slot(5)), ("id", Slot(6))),
        ("a",),
        True,
    )
    assert values == [1, 2, 3, 4, 5, 6, None]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, ALWAYS),
        ({"and": []}, ALWAYS),
        ({"or": []}, NEVER),
        ({"a": 1}, Compare(A, "eq", Slot(0))),
        ({"a": None}, Is(A, "null")),
        ({"a": {"eq": None}}, Is(A, "null")),
        ({"a": {"neq": None}}, Is(A, "null", True)),
        ({"a": {"eq": [1]}}, Compare(A, "eq", Slot(0))),
        ({"a": {"eq": {"x": 1}}}, Compare(A, "eq", Slot(0))),
        ({"a": {"is_null": True}}, Is(A, "null")),
        ({"a": {"is_null": False}}, Is(A, "null", True)),
        ({"a": {"is": None}}, Is(A, "null")),
        ({"a": {"is": True}}, Is(A, "true")),
        ({"a": {"is": "unknown"}}, Is(A, "unknown")),
        ({"a": {"in": [1, None]}}, Compare(A, "in", Slot(0), nulls=True)),
        ({"a": {"between": [1, 2]}}, Compare(A, "between", Slot(0))),
        ({"a": {"like": {"any": ["x"]}}}, Compare(A, "like", Slot(0), "any")),
        ({"a": {"gt": {"all": [1]}}}, Compare(A, "gt", Slot(0), "all")),
        ({"a": {"contains": {"any": [1]}}}, Compare(A, "contains", Slot(0))),
        ({"a": {"fts": {"query": "x", "config": "simple"}}}, Compare(A, "fts", Slot(0), config="simple")),
        ({"a": {"not": {"gt": 3, "lt": 5}}}, Not(Every((Compare(A, "gt", Slot(0)), Compare(A, "lt", Slot(1)))))),
        ({"not": {"a": 1}}, Not(Compare(A, "eq", Slot(0)))),
        ({"a": 1, "and": [{"b": 1}, {}]}, Every((Compare(A, "eq", Slot(0)), Compare(B, "eq", Slot(1))))),
        ({"or": [{"a": 1}, {"b": None}]}, Some((Compare(A, "eq", Slot(0)), Is(B, "null")))),
        ({"or": [{"a": 1}, {}]}, Some((Compare(A, "eq", Slot(0)), ALWAYS))),
        ({"column:and": 1}, Compare(Target("and"), "eq", Slot(0))),
        (
            {"p": {"some": {}, "none": {"a": 1}}},
            Every((Related("p", "some", ALWAYS), Related("p", "none", where({"a": 1})))),
        ),
    ],
)
def test_where(condition: Any, expected: Any) -> None:
    assert where(condition) == expected


def test_in_goes_without_its_nulls() -> None:
    _, values = parse({"table": "t", "where": {"a": {"in": [None, 1, None]}, "b": {"nin": [None]}}})
    assert values == [[1], []]


def test_the_other_operations() -> None:
    base = {"table": "t"}
    assert parse({**base, "operation": "count"})[0] == Count("t")
    assert parse({**base, "operation": "delete", "all": True})[0] == Delete("t", ALWAYS, everything=True)
    assert parse({**base, "operation": "update", "data": {"a": [1]}, "where": {"b": 2}, "returning": ["c"]}) == (
        Update("t", (("a", Slot(0)),), Compare(B, "eq", Slot(1)), (item("c"),)),
        [[1], 2],
    )
    aggregate = {
        "aggregates": {"n": "count", "s": {"sum": "a->>x", "distinct": True}},
        "group_by": ["b", {"g": "c"}],
        "where": {"a": 1},
        "having": {"n": {"gt": 2}, "column:s": 3},
        "order_by": {"n": "desc"},
        "limit": 4,
    }
    assert parse({**base, "operation": "aggregate", **aggregate}) == (
        Aggregate(
            "t",
            (Measure("n", "count"), Measure("s", "sum", Target("a", ("x",), True), True)),
            (item("b"), Item("g", C)),
            Compare(A, "eq", Slot(0)),
            Every((Compare(Target("n"), "gt", Slot(1)), Compare(Target("s"), "eq", Slot(2)))),
            (Order(Target("n"), True),),
            Slot(3),
        ),
        [1, 2, 3, 4],
    )


@pytest.mark.parametrize(
    ("data", "expected", "values"),
    [
        ({"a": [1], "b": {}}, Insert("t", ("a", "b"), ((Slot(0), Slot(1)),), one=True), [[1], {}]),
        ({}, Insert("t", (), ((),), one=True), []),
        ([], Insert("t", (), ()), []),
        ([{}, {}], Insert("t", (), ((), ())), []),
        ([{"a": 1}], Insert("t", ("a",), None, (Slot(0),)), [[1]]),
        ([{"a": 1}, {"b": 2}], Insert("t", ("a", "b"), ((Slot(0), None), (None, Slot(1)))), [1, 2]),
    ],
)
def test_insert(data: Any, expected: Insert, values: list[Any]) -> None:
    assert parse({"table": "t", "operation": "insert", "data": data}) == (expected, values)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a"], Conflict(("a",))),
        ({"columns": ["a"]}, Conflict(("a",))),
        ({"columns": ["a"], "update": ["b"]}, Conflict(("a",), ("b",))),
        ({"columns": ["a"], "update": "nothing"}, Conflict(("a",), ())),
    ],
)
def test_upsert(given: Any, expected: Conflict) -> None:
    query, _ = parse({"table": "t", "operation": "upsert", "data": {"a": 1, "b": 2}, "on_conflict": given})
    assert isinstance(query, Insert)
    assert query.conflict == expected


def test_null_is_left_out() -> None:
    left_out = {"where": None, "columns": None, "select": None, "limit": None, "one": None, "operation": None}
    assert parse({"table": "t", **left_out}) == parse({"table": "t"})


@pytest.mark.parametrize(
    ("document", "place", "words"),
    [
        ([], "", "The query must be an object"),
        ({}, "table", "is missing; it must be a table's name"),
        ({"table": ""}, "table", "1 to 500 characters"),
        ({"table": "t", "wher": {}}, "", 'no key "wher". Did you mean "where"? Allowed: table,'),
        ({"table": "t", "operation": "selct"}, "operation", 'Did you mean "select"?'),
        ({"table": "t", "operation": "count", "limit": 1}, "", 'no key "limit"'),
        ({"table": "t", "where": 5}, "where", "must be an object"),
        ({"table": "t", "where": {"a": [1]}}, "where.a", 'write {"in": [...]}'),
        ({"table": "t", "where": {"a": {}}}, "where.a", "is empty. Allowed: eq"),
        ({"table": "t", "where": {"a": {"gtt": 1}}}, "where.a", 'no operator "gtt". Did you mean "gt'),
        ({"table": "t", "where": {"or": [{"b": 1}, {"age": {"gte": None}}]}}, "where.or[1].age.gte", "is null"),
        ({"table": "t", "where": {"or": {"a": 1}}}, "where.or", '"column:or"'),
        ({"table": "t", "where": {"and": [1]}}, "where.and[0]", "must be an object"),
        ({"table": "t", "where": {"not": 1}}, "where.not", '"column:not"'),
        ({"table": "t", "where": {"a": {"not": 1}}}, "where.a.not", "object of operators"),
        ({"table": "t", "where": {"a": {"in": 1}}}, "where.a.in", "must be an array"),
        ({"table": "t", "where": {"a": {"between": [1]}}}, "where.a.between", "array of two"),
        ({"table": "t", "where": {"a": {"like": 1}}}, "where.a.like", '{"any": [...]}'),
        ({"table": "t", "where": {"a": {"like": {"any": [1]}}}}, "where.a.like.any", "each entry of it a string"),
        ({"table": "t", "where": {"a": {"gt": {"any": [None]}}}}, "where.a.gt.any", "not null"),
        ({"table": "t", "where": {"a": {"is": "yes"}}}, "where.a.is", '"unknown"'),
        ({"table": "t", "where": {"a": {"is_null": 1}}}, "where.a.is_null", "true or false"),
        ({"table": "t", "where": {"a": {"fts": {"q": "x"}}}}, "where.a.fts", 'no key "q"'),
        ({"table": "t", "where": {"p": {"some": {"x": {"eqq": 1}}}}}, "where.p.some.x", 'Did you mean "eq"?'),
        ({"table": "t", "where": {"p": {"some": {}, "gt": 1}}}, "where.p", 'no quantifier "gt"'),
        ({"table": "t", "where": {"p->x": {"some": {}}}}, "where.p->x", "not a relation"),
        ({"table": "t", "where": {"a->>b->c": 1}}, "where.a->>b->c", '"->>" gives text and must come last'),
        ({"table": "t", "where": {"->a": 1}}, "where.->a", "begins with an arrow"),
        ({"table": "t", "where": {"x" * 501: 1}}, None, "1 to 500 characters"),
        ({"table": "t", "columns": []}, "columns", "array of column names"),
        ({"table": "t", "columns": ["a", "a"]}, "columns[1]", "there already"),
        ({"table": "t", "columns": ["a", 1]}, "columns[1]", "must be a name"),
        ({"table": "t", "columns": ["a"], "select": {"a": True}}, "select", 'combined with "columns"'),
        ({"table": "t", "select": {"a": False}}, "select.a", "must be true"),
        ({"table": "t", "select": {"p": {"were": {}}}}, "select.p", 'Did you mean "where"?'),
        ({"table": "t", "select": {"p": {"where": {"a": {"in": 1}}}}}, "select.p.where.a.in", "array"),
        ({"table": "t", "order_by": {"a": "up"}}, "order_by.a", '"asc", "desc"'),
        ({"table": "t", "order_by": ["a", {"b": {"null": "last"}}]}, "order_by[1].b", 'Did you mean "nulls"?'),
        ({"table": "t", "offset": 1, "after": {"id": 1}}, "after", 'combined with "offset"'),
        ({"table": "t", "distinct": ["*"]}, "distinct", "must be true"),
        ({"table": "t", "one": 1}, "one", "true or false"),
        ({"table": "t", "operation": "insert"}, "data", "is missing"),
        ({"table": "t", "operation": "insert", "data": [{}, 1]}, "data[1]", "must be an object"),
        ({"table": "t", "operation": "insert", "data": {"a\0": 1}}, "data.a\0", "must be a name"),
        ({"table": "t", "operation": "upsert", "data": {"a": 1}}, "on_conflict", "is missing"),
        (
            {"table": "t", "operation": "upsert", "data": {"a": 1}, "on_conflict": ["b"]},
            "on_conflict[0]",
            'names "b", for which "data" has no value',
        ),
        (
            {"table": "t", "operation": "upsert", "data": {"a": 1}, "on_conflict": {"columns": ["a"], "update": []}},
            "on_conflict.update",
            '"nothing"',
        ),
        ({"table": "t", "operation": "update", "data": {}, "all": True}, "data", "at least one column"),
        ({"table": "t", "operation": "delete", "where": {"a": 1}, "all": True}, "all", 'combined with "where"'),
        ({"table": "t", "operation": "aggregate"}, "aggregates", "is missing"),
        ({"table": "t", "operation": "aggregate", "aggregates": {"n": "cnt"}}, "aggregates.n", '"count"'),
        ({"table": "t", "operation": "aggregate", "aggregates": {"n": {"summ": "a"}}}, "aggregates.n", '"sum"?'),
        (
            {"table": "t", "operation": "aggregate", "aggregates": {"n": "count"}, "group_by": ["n"]},
            "group_by.n",
            "alias",
        ),
        (
            {"table": "t", "operation": "aggregate", "aggregates": {"total": "count"}, "having": {"totl": 1}},
            "having.totl",
            'Did you mean "total"?',
        ),
        (
            {"table": "t", "operation": "aggregate", "aggregates": {"n": "count"}, "having": {"n": {"some": {}}}},
            "having.n",
            "related rows",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(document: Any, place: str | None, words: str) -> None:
    with pytest.raises(HostError) as caught:
        parse(document)
    assert (caught.value.code, caught.value.status) == ("INVALID_QUERY", 400)
    assert words in str(caught.value)
    if place is not None:
        assert caught.value.details == {"place": place}
        assert not place or str(caught.value).startswith(f'"{place}" ')


@pytest.mark.parametrize(
    "condition",
    [
        None,
        {},
        {"and": []},
        {"and": [{}, {"not": {"or": []}}]},
        {"or": [{"a": 1}, {}]},
        {"p": {"every": {}}},
        {"p": {"none": {"or": []}}},
        {"not": {"p": {"some": {"or": []}}}},
    ],
)
def test_writing_every_row_must_be_said(condition: Any) -> None:
    for operation in ({"operation": "delete"}, {"operation": "update", "data": {"a": 1}}):
        with pytest.raises(HostError) as caught:
            parse({"table": "t", "where": condition, **operation})
        assert caught.value.code == "WHERE_REQUIRED"


@pytest.mark.parametrize("condition", [{"or": []}, {"p": {"some": {}}}, {"not": {"a": 1}}, {"a": {"nin": []}}])
def test_conditions_that_may_fail_are_enough(condition: Any) -> None:
    assert parse({"table": "t", "operation": "delete", "where": condition})


def test_a_message_has_a_bound() -> None:
    with pytest.raises(HostError) as caught:
        parse({"table": "t", "where": {"x" * 10_000: {"y" * 10_000: 1}}})
    assert len(caught.value.payload()) < 2000

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flux.data.routes.resolve import resolve
from flux.data.schema.model import Schema
from flux.failure import HostError
from tests.unit.data.compiler.tables import USERS, column, text

THINGS = replace(
    USERS,
    name="things",
    columns={
        **USERS.columns,
        "done": column("done", "bool", "boolean"),
        "stars": column("stars", "float8", "double precision"),
        "flags": column("flags", "bool", "boolean[]", array=True, family="array"),
        "and": text("and"),
    },
)
PAIRS = replace(USERS, name="pairs", key=("org", "age"))
SCHEMA = Schema(tables={"things": THINGS, "pairs": PAIRS, "keyless": replace(USERS, name="keyless", key=())})


def where(*filters: tuple[str, str], key: str | None = None, table: str = "things", **query: Any) -> Any:
    return resolve({"table": table, **query}, key, filters, SCHEMA).get("where")


@pytest.mark.parametrize(
    ("name", "said", "meant"),
    [
        ("email", "pro", {"column:email": {"eq": "pro"}}),
        ("email", "eq.in.progress", {"column:email": {"eq": "in.progress"}}),
        ("email", "a.b", {"column:email": {"eq": "a.b"}}),
        ("email", "like", {"column:email": {"eq": "like"}}),
        ("email", "not.like.A%", {"column:email": {"not": {"like": "A%"}}}),
        ("email", "not.a", {"column:email": {"eq": "not.a"}}),
        ("email", "in.a,b", {"column:email": {"in": ["a", "b"]}}),
        ("email", "in.(a,b)", {"column:email": {"in": ["a", "b"]}}),
        ("email", 'in.["a,b",null]', {"column:email": {"in": ["a,b", None]}}),
        ("email", "in.", {"column:email": {"in": []}}),
        ("email", "ilike.any.a%,b%", {"column:email": {"ilike": {"any": ["a%", "b%"]}}}),
        ("email", "is_null.false", {"column:email": {"is_null": False}}),
        ("email", "is.null", {"column:email": {"is": None}}),
        ("age", "gte.18", {"column:age": {"gte": "18"}}),  # the column's codec reads it
        ("age", "between.1,9", {"column:age": {"between": ["1", "9"]}}),
        ("done", "true", {"column:done": {"eq": True}}),
        ("done", "neq.false", {"column:done": {"neq": False}}),
        ("stars", "lt.1.5", {"column:stars": {"lt": 1.5}}),
        ("stars", "-2e3", {"column:stars": {"eq": -2000.0}}),
        ("stars", "NaN", {"column:stars": {"eq": "NaN"}}),
        ("tags", "contains.a,b", {"column:tags": {"contains": ["a", "b"]}}),
        ("flags", "overlaps.true,false", {"column:flags": {"overlaps": [True, False]}}),
        ("settings", 'contains.{"a": 1}', {"column:settings": {"contains": {"a": 1}}}),
        ("settings->>theme", "dark", {"settings->>theme": {"eq": "dark"}}),
        ("settings->size", "gt.5", {"settings->size": {"gt": 5}}),
        ("and", "x", {"column:and": {"eq": "x"}}),
        ("full_name", "x", {"column:full_name": {"eq": "x"}}),
        ("column:and", "x", {"column:and": {"eq": "x"}}),
    ],
)
def test_a_filter(name: str, said: str, meant: Any) -> None:
    assert where((name, said)) == meant


def test_filters_and_a_condition_all_hold() -> None:
    assert where(("age", "gte.1"), ("age", "lt.9"), where={"or": []}) == {
        "and": [{"column:age": {"gte": "1"}}, {"column:age": {"lt": "9"}}, {"or": []}]
    }
    assert where(where={"id": 1}) == {"id": 1}
    assert resolve({}, None, (), SCHEMA) == {}


def test_a_key() -> None:
    assert where(key="7") == {"id": {"eq": "7"}}
    assert where(key="7", where=None) == {"id": {"eq": "7"}}
    assert where(key="age=3,org=a=b", table="pairs") == {
        "age": {"eq": "3"},
        "org": {"eq": "a=b"},
    }
    for key in ("7", "org=a", "org=a,age=1,x=2", "org=a,org=b", ""):
        with pytest.raises(HostError, match=r"is named by org=\.\.\.,age=\.\.\."):
            where(key=key, table="pairs")
    with pytest.raises(HostError, match="no primary key"):
        where(key="7", table="keyless")


@pytest.mark.parametrize(
    ("name", "said", "code", "message"),
    [
        ("emial", "x", "UNKNOWN_COLUMN", 'Did you mean "email"'),
        ("nope->>x", "x", "UNKNOWN_COLUMN", '"nope"'),
        ("email", "is.maybe", "INVALID_ARGUMENT", "null, true, false, unknown"),
        ("email", "is_null.1", "INVALID_ARGUMENT", "true, false"),
        ("email", "in.[1", "INVALID_ARGUMENT", "no JSON array"),
        ("->x", "1", "INVALID_QUERY", "->x"),
    ],
)
def test_what_is_wrong_is_named(name: str, said: str, code: str, message: str) -> None:
    with pytest.raises(HostError) as caught:
        where((name, said))
    assert caught.value.code == code
    assert message in caught.value.message

"""What `defineSchema` gives, as a definition; mistakes name their place."""

from __future__ import annotations

from typing import Any

import pytest

from flux.data.declare.document import read_documents
from flux.data.declare.model import Column, Definition, ForeignKey, Index, Unique
from flux.errors import ConfigError


def read(columns: dict[str, Any], options: dict[str, Any] | None = None, **more: Any) -> Definition:
    tables = {"t": {"columns": columns, "options": options or {}}}
    return read_documents([("schemas/a.schema.ts", {"tables": tables, **more})])


def column(**given: Any) -> Column:
    return read({"c": {"type": "text", **given}}).tables["t"].columns["c"]


@pytest.mark.parametrize(
    ("given", "expression"),
    [
        ({"default": {"sql": "now()"}}, "now()"),
        ({"default": {"value": "it's"}}, "'it''s'::text"),
        ({"default": {"value": "a\\b"}}, "E'a\\\\b'::text"),
        ({"type": "integer", "default": {"value": -1}}, "'-1'::integer"),
        ({"type": "boolean", "default": {"value": True}}, "'true'::boolean"),
        ({"type": "jsonb", "default": {"value": {"a": "it's"}}}, """'{"a":"it''s"}'::jsonb"""),
        ({"type": "jsonb", "default": {"value": None}}, "'null'::jsonb"),
        ({"default": {"value": None}}, None),
        (
            {"dimensions": 1, "default": {"value": ["a", 'b"\\', None, [1]]}},
            'E\'{"a","b\\\\"\\\\\\\\",NULL,{"1"}}\'::text[]',
        ),
        ({}, None),
    ],
)
def test_defaults(given: dict[str, Any], expression: str | None) -> None:
    assert column(**given).expression == expression


def test_columns() -> None:
    assert column() == Column(name="c", type="text")
    assert column(nullable=True).nullable
    assert column(type="mood", enum="Mood", dimensions=2).type == '"Mood"[][]'
    assert column(generated={"sql": "1", "stored": False}).generated == "virtual"
    # An identity, and a part of the primary key, is NOT NULL whatever is said.
    assert not column(type="int", identity="always", nullable=True).nullable
    assert not column(primaryKey=True, nullable=True).nullable


def test_constraints() -> None:
    table = read(
        {
            "a": {"type": "int", "unique": True, "references": {"table": "t", "column": "b", "onDelete": "set null"}},
            "b": {"type": "int", "check": "b > 0"},
        },
        {
            "primaryKey": ["a", "b"],
            "unique": [["b", "a"], {"columns": ["b"], "nullsNotDistinct": True, "name": "n"}],
            "checks": {"both": {"sql": "a > b"}, "text": "true"},
            "indexes": [{"columns": ["a", {"sql": "lower(b)"}], "where": {"sql": "a > 1"}, "include": ["b"]}],
        },
    ).tables["t"]
    assert table.key == ("a", "b")
    assert table.uniques == (
        Unique(columns=("a",)),
        Unique(columns=("b", "a")),
        Unique(columns=("b",), nulls_not_distinct=True, name="n"),
    )
    assert [(check.name, check.expression) for check in table.checks] == [
        (None, "b > 0"),
        ("both", "a > b"),
        ("text", "true"),
    ]
    assert table.indexes == (Index(definition='"btree" ("a", lower(b)) INCLUDE ("b") WHERE (a > 1)'),)
    assert table.foreign_keys == (ForeignKey(columns=("a",), target="t", target_columns=("b",), on_delete="set null"),)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"a": {"type": "int", "default": {"value": 1}, "identity": "always"}},
            {},
            '"a": default and identity exclude',
        ),
        ({"a": {"type": "int"}}, {"primaryKey": ["b"]}, 'primaryKey names "b", which is not one of its columns'),
        ({"a": {"type": "int"}}, {"indexes": [{"columns": ["b"]}]}, 'index names "b"'),
        ({"a": {"type": "int", "primaryKey": True}}, {"primaryKey": ["a"]}, "a key of several columns"),
        (
            {"a": {"type": "int", "references": {"table": "u", "column": "id"}}},
            {},
            '"t" refers to "u", which no schema',
        ),
        ({"a": {"type": "int", "references": {"table": "t", "column": "id"}}}, {}, '"t.id", which does not exist'),
        (
            {"a": {"type": "int", "references": {"table": "t", "column": "a", "onDelete": "explode"}}},
            {},
            "action is one of no action, restrict",
        ),
        ({"a" * 64: {"type": "int"}}, {}, "1 to 63 bytes"),
    ],
)
def test_mistakes(columns: dict[str, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(columns, options)


def test_files_together() -> None:
    one = {"tables": {"a": {"columns": {"id": {"type": "int"}}, "options": {}}}, "enums": {"mood": ["x"]}}
    other = {"tables": {"b": {"columns": {"id": {"type": "int"}}, "options": {}}}, "ignore": ["legacy"]}
    both = read_documents([("1", one), ("2", other)])
    assert list(both.tables) == ["a", "b"]
    assert both.ignores("legacy")
    with pytest.raises(ConfigError, match='2: table "a" is declared twice'):
        read_documents([("1", one), ("2", {"tables": one["tables"]})])
    with pytest.raises(ConfigError, match='enumeration "mood" is declared twice'):
        read_documents([("1", one), ("2", {"tables": {}, "enums": {"mood": ["x"]}})])
    with pytest.raises(ConfigError, match="export default defineSchema"):
        read_documents([("1", None)])


def test_a_reference_to_an_ignored_table() -> None:
    columns = {"a": {"type": "int", "references": {"table": "legacy_users", "column": "id"}}}
    assert read(columns, ignore=["legacy_*"]).tables["t"].foreign_keys[0].target == "legacy_users"


@pytest.mark.parametrize(
    "document",
    [
        {"tables": {"t": {}}},
        {"tables": {"t": 5}},
        {"tables": {"t": {"columns": {"a": 5}}}},
        {"tables": {"t": {"columns": {"a": {"type": 5}}}}},
        {"tables": {"t": {"columns": {"a": {"type": "int", "references": {"table": "t"}}}}}},
        {"tables": {}, "enums": ["a"]},
        {"tables": {}, "enums": {"a": "labels"}},
        {"tables": {}, "ignore": "legacy"},
    ],
)
def test_what_is_no_schema(document: Any) -> None:
    """`as any` gets past the type check, and the API takes any JSON."""
    with pytest.raises(ConfigError, match=r"main\.schema\.ts: "):
        read_documents([("main.schema.ts", document)])

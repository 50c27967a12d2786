"""Selects, related rows, pages, counts and aggregates."""

from __future__ import annotations

import itertools
import json
from typing import Any

import asyncpg
import pytest

from flux.failure import HostError
from tests.integration.data.compiler.conftest import Database

TREE = """
    CREATE TABLE nodes (
        id integer PRIMARY KEY, parent_id integer REFERENCES nodes, name text, size integer, settings jsonb, flags json
    );
    CREATE FUNCTION shout(nodes) RETURNS text LANGUAGE sql STABLE AS $$ SELECT upper($1.name) $$;
    INSERT INTO nodes SELECT n, nullif(n / 2, 0), 'n' || n, nullif(n % 4, 0),
        jsonb_build_object('at', jsonb_build_array(n)), json_build_object('n', n)
    FROM generate_series(1, 300) AS n;
"""


@pytest.fixture
async def tree(database: Database) -> Database:
    await database.define(TREE)
    return database


def relations(database: Database) -> tuple[str, str]:
    """The names of the relations to the parent and to the children."""
    found = database.schema.table("nodes").relations
    return next(each.name for each in found.values() if not each.many), next(
        each.name for each in found.values() if each.many
    )


async def test_six_levels(tree: Database) -> None:
    parent, children = relations(tree)
    select: dict[str, Any] = {"id": True}
    for level in range(6):
        inner = {"relation": children, "select": select, "order_by": {"id": "desc"}}
        select = {"id": True, "up": {"relation": parent, "columns": ["id"]}, f"level{level}": inner}
    answer = await tree.ask({"table": "nodes", "select": select, "where": {"id": 2}})

    def expected(node: int, level: int) -> dict[str, Any]:
        if level < 0:
            return {"id": node}
        below = [expected(child, level - 1) for child in (node * 2 + 1, node * 2) if child <= 300]
        return {"id": node, "up": {"id": node // 2} if node > 1 else None, f"level{level}": below}

    assert answer == [expected(2, 5)]


async def test_related_rows_have_their_own_where_order_and_limit(tree: Database) -> None:
    parent, children = relations(tree)
    select = {
        "id": True,
        "kids": {
            "relation": children,
            "select": {"loud": "shout", "at": "settings->at->0", "text": "settings->>at", "n": "flags->n"},
            "where": {"id": {"gt": 4}},
            "order_by": [{"size": {"direction": "desc", "nulls": "last"}}, "id"],
            "limit": 1,
            "offset": 0,
        },
        "up": {"relation": parent, "select": {"shout": True}, "where": {"name": "n1"}},
    }
    answer = await tree.ask(
        {"table": "nodes", "select": select, "where": {"id": {"in": [1, 2, 3, 200]}}, "order_by": "id"}
    )
    assert answer == [
        {"id": 1, "kids": [], "up": None},
        {"id": 2, "kids": [{"loud": "N5", "at": 5, "text": "[5]", "n": 5}], "up": {"shout": "N1"}},
        {"id": 3, "kids": [{"loud": "N7", "at": 7, "text": "[7]", "n": 7}], "up": {"shout": "N1"}},
        {"id": 200, "kids": [], "up": None},
    ]


async def test_parents_by_their_children(tree: Database) -> None:
    parent, children = relations(tree)

    async def ids(where: dict[str, Any]) -> list[int]:
        rows = await tree.ask({"table": "nodes", "columns": ["id"], "where": where, "order_by": "id", "limit": 300})
        return [row["id"] for row in rows]

    assert await ids({children: {"some": {"name": "n9"}}}) == [4]
    assert await ids({children: {"some": {children: {"some": {"id": 20}}}}}) == [5]
    assert await ids({"id": {"lt": 152}, children: {"none": {}}}) == [151]
    assert await ids({children: {"every": {"size": {"is_null": True}}}, "id": {"lt": 151}}) == [150]
    assert await ids({children: {"every": {"id": {"lt": 8}}}, "id": {"lt": 100}}) == [1, 2, 3]
    assert await ids({parent: {"some": {"shout": "N3"}}}) == [6, 7]
    assert await ids({"not": {parent: {"some": {}}}}) == [1]


WAYS = [{"direction": way, "nulls": nulls} for way in ("asc", "desc") for nulls in ("first", "last")] + ["asc", "desc"]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("key", ["asc", "desc"])
async def test_keyset_pages(tree: Database, way: Any, key: str) -> None:
    """Page by page, everything once and in order; `size` has NULLs and many equal values."""
    orders = [[{"size": way}, {"id": key}], [{"size": way}]] if key == "asc" else [[{"size": way}, {"id": key}]]
    for order in orders:
        query = {"table": "nodes", "columns": ["id", "size"], "order_by": order}
        whole = await tree.ask({**query, "limit": 300, "offset": 0})
        pages: list[dict[str, Any]] = await tree.ask({**query, "limit": 37})
        while page := await tree.ask({**query, "after": pages[-1], "limit": 37}):
            pages += page
        assert pages == whole
        assert len(pages) == 300


async def test_pages_of_groups_that_are_alike(tree: Database) -> None:
    query = {
        "table": "nodes",
        "operation": "aggregate",
        "aggregates": {"n": "count"},
        "group_by": [{"group": "name"}],
        "order_by": {"n": "desc"},
        "limit": 10,
    }
    pages = [await tree.ask(query), *[await tree.ask({**query, "offset": at}) for at in range(10, 300, 10)]]
    assert len({row["group"] for page in pages for row in page}) == 300


async def test_keyset_pages_by_key_and_by_json(tree: Database) -> None:
    rows = await tree.ask({"table": "nodes", "columns": ["id"], "after": {"id": 297}})
    assert [row["id"] for row in rows] == [298, 299, 300]
    rows = await tree.ask({"table": "nodes", "columns": ["id"], "order_by": {"id": "desc"}, "after": {"id": 3}})
    assert [row["id"] for row in rows] == [2, 1]
    after = {"settings->at": [299], "id": 299}
    rows = await tree.ask({"table": "nodes", "columns": ["id"], "order_by": "settings->at", "after": after})
    assert [row["id"] for row in rows] == [300]
    error = await tree.refusal({"table": "nodes", "order_by": "size", "after": {"size": 1}})
    assert error.details["columns"] == ["size", "id"]


async def test_distinct(tree: Database) -> None:
    rows = await tree.ask({"table": "nodes", "select": {"s": "size"}, "distinct": True, "order_by": {"size": "desc"}})
    assert rows == [{"s": None}, {"s": 3}, {"s": 2}, {"s": 1}]
    rows = await tree.ask(
        {"table": "nodes", "columns": ["size", "id"], "distinct": ["size"], "order_by": {"id": "desc"}}
    )
    assert [row["id"] for row in rows] == [297, 298, 299, 300]
    error = await tree.refusal({"table": "nodes", "columns": ["flags"], "distinct": True})
    assert error.code == "INVALID_ARGUMENT"


async def test_aggregates(tree: Database) -> None:
    measures = {
        "n": "count",
        "known": {"count": "size"},
        "kinds": {"count": "size", "distinct": True},
        "total": {"sum": "size"},
        "mean": {"avg": "size"},
        "first": {"min": "name"},
        "last": {"max": "id"},
    }
    assert await tree.ask({"table": "nodes", "operation": "aggregate", "aggregates": measures}) == [
        {"n": 300, "known": 225, "kinds": 3, "total": 450, "mean": "2.0000000000000000", "first": "n1", "last": 300}
    ]
    grouped = {
        "table": "nodes",
        "operation": "aggregate",
        "aggregates": {"n": "count", "top": {"max": "id"}},
        "group_by": ["size", {"first": "settings->at->9"}],
        "having": {"top": {"gt": 297}, "n": {"neq": 0}, "or": [{"size": {"gte": 2}}, {"size": None}]},
        "order_by": {"top": "desc"},
        "where": {"id": {"gt": 100}},
    }
    assert await tree.ask(grouped) == [
        {"size": None, "first": None, "n": 50, "top": 300},
        {"size": 3, "first": None, "n": 50, "top": 299},
        {"size": 2, "first": None, "n": 50, "top": 298},
    ]
    assert len(await tree.ask({**grouped, "limit": 1, "offset": 1})) == 1
    error = await tree.refusal({"table": "nodes", "operation": "aggregate", "aggregates": {"x": {"sum": "name"}}})
    assert error.code == "INVALID_ARGUMENT"


# Of each kind of value: a type, a value that is there, one that is greater, and one that no row has.
KINDS: list[tuple[str, Any, Any, Any]] = [
    ("integer", 2, 3, 9),
    ("bigint", "9007199254740993", "9007199254740994", 1),
    ("numeric", "1.5", "2.5", 7),
    ("real", 1.1, 1.2, 7),
    ("money", "$1.50", "$2.00", "$9.00"),
    ("text", "b%", "c", "zz"),
    ("varchar(9)", "b%", "c", "zz"),
    ("char(3)", "b% ", "c  ", "zz"),
    ('"char"', "b", "c", "z"),
    ("boolean", False, None, True),
    ("date", "2026-01-02", "2026-01-03", "2030-01-01"),
    ("timestamptz", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2030-01-01T00:00:00Z"),
    ("time", "10:00:00", "11:00:00", "23:00:00"),
    ("interval", "1 day", "2 days", "9 days"),
    ("uuid", f"{0xA1:032x}", f"{0xA2:032x}", f"{0:032x}"),
    ("bytea", "AQ==", "Ag==", "/w=="),
    ("jsonb", {"a": 1}, {"a": 2}, {"z": 1}),
    ("json", {"a": 1}, {"a": 2}, {"z": 1}),
    ("integer[]", [1, 2], [1, 3], [9]),
    ("text[]", ["a", "b"], ["a", "c"], ["z"]),
    ("int4range", "[1,5)", "[2,5)", "[90,91)"),
    ("int4multirange", "{[1,5)}", "{[2,5)}", "{[90,91)}"),
    ("tsvector", "'cat' 'dog'", None, "'bird'"),
    ("inet", "10.0.0.1", "10.0.0.2", "1.1.1.1"),
    ("bit(3)", "001", "010", "111"),
    ("mood", "meh", "happy", "sad"),
]  # fmt: skip


async def test_every_operator_on_every_family(database: Database) -> None:
    """What fits holds for the row it should; what does not fit is refused with the operators that do."""
    columns = ", ".join(f"c{number} {kind}" for number, (kind, *_) in enumerate(KINDS))
    await database.define(
        f"CREATE TYPE mood AS ENUM ('sad', 'meh', 'happy'); CREATE TABLE kinds (id serial PRIMARY KEY, {columns});"
    )
    await database.ask(
        {"table": "kinds", "operation": "insert", "data": {f"c{at}": kind[1] for at, kind in enumerate(KINDS)}}
    )
    await database.ask({"table": "kinds", "operation": "insert", "data": {}})

    async def holds(name: str, operators: dict[str, Any]) -> bool | str:
        """Whether the first row fulfils it; "refused" when it does not fit."""
        try:
            found = await database.ask({"table": "kinds", "columns": ["id"], "where": {"id": 1, name: operators}})
        except HostError as error:
            told = error.code == "INVALID_ARGUMENT" and error.details["type"] in str(error)
            return "refused" if told else str(error)
        return bool(found)

    refused = "refused"
    for number, (kind, here, greater, none) in enumerate(KINDS):
        name = f"c{number}"
        family = database.schema.table("kinds").columns[name].family
        ordered = True if family not in ("boolean", "fts") else refused
        listed = True if family not in ("array", "fts") else refused
        quantified = True if family != "array" else refused
        patterns = True if family == "text" else refused
        sets = True if family in ("array", "range", "json") else refused
        ranges = True if family in ("array", "range") else refused
        strict = family == "range"
        beyond = greater if greater is not None else none
        expected: list[tuple[dict[str, Any], bool | str]] = [
            ({"eq": here}, True),
            ({"eq": none}, False),
            ({"neq": none}, True),
            ({"not": {"eq": none}}, True),
            ({"is_distinct": none}, True),
            ({"is_null": False}, True),
            ({"is": None}, False),
            ({"is": False}, True if family == "boolean" else refused),
            ({"lt": beyond}, ordered),
            ({"lte": here}, ordered),
            ({"gte": here}, ordered),
            ({"gt": here}, False if ordered is True else refused),
            ({"between": [here, beyond]}, ordered),
            ({"in": [none, here]}, listed),
            ({"in": [none, None]}, False if listed is True else refused),
            ({"nin": [none]}, listed),
            ({"eq": {"any": [none, here]}}, quantified),
            ({"neq": {"all": [none]}}, quantified),
            ({"like": "b%"}, patterns),
            ({"ilike": {"any": ["x", "B%"]}}, patterns),
            ({"match": "^b"}, patterns),
            ({"imatch": {"all": ["^B", "B"]}}, patterns),
            ({"contains": here}, sets),
            ({"contained": here}, sets),
            ({"overlaps": here}, ranges),
            ({"strictly_left": none}, True if strict else refused),
            ({"strictly_right": none}, False if strict else refused),
            ({"not_right_of": none}, True if strict else refused),
            ({"not_left_of": none}, False if strict else refused),
            ({"adjacent": none}, False if strict else refused),
            ({"fts": "cat & dog"}, True if family == "fts" else refused),
            ({"plfts": "cat bird"}, False if family == "fts" else refused),
            ({"phfts": {"query": "cat", "config": "english"}}, True if family == "fts" else refused),
            ({"wfts": "cat or bird"}, True if family == "fts" else refused),
        ]
        for operators, wanted in expected:
            assert await holds(name, operators) == wanted, (kind, operators)


async def test_configurations_are_no_sql(database: Database) -> None:
    await database.define("CREATE TABLE texts (id serial PRIMARY KEY, v tsvector)")
    words = {"query": "x", "config": "english', 'x') OR true --"}
    with pytest.raises(asyncpg.PostgresError):
        await database.ask({"table": "texts", "where": {"v": {"fts": words}}})


async def test_wide_tables(database: Database) -> None:
    """More fields than a function of Postgres takes arguments."""
    columns = ", ".join(f"c{number} integer DEFAULT {number}" for number in range(150))
    await database.define(f"""
        CREATE TABLE tops (id integer PRIMARY KEY); INSERT INTO tops VALUES (1);
        CREATE TABLE wide (id integer PRIMARY KEY, top_id integer REFERENCES tops, {columns});
        INSERT INTO wide VALUES (1, 1);
    """)
    answer = await database.ask({"table": "tops", "select": {"wide": {}}})
    assert answer == [{"wide": [{"id": 1, "top_id": 1, **{f"c{number}": number for number in range(150)}}]}]


async def test_composite_keys(database: Database) -> None:
    await database.define("""
        CREATE TABLE orders (region text, number integer, PRIMARY KEY (region, number));
        CREATE TABLE lines (
            id integer PRIMARY KEY, region text, number integer, FOREIGN KEY (region, number) REFERENCES orders
        );
        INSERT INTO orders SELECT r, n FROM unnest(ARRAY['a', 'b']) AS r, generate_series(1, 3) AS n;
        INSERT INTO lines VALUES (1, 'a', 1), (2, 'a', 1), (3, 'b', 1), (4, NULL, 1);
    """)
    name = next(iter(database.schema.table("orders").relations))
    up = next(iter(database.schema.table("lines").relations))
    answer = await database.ask(
        {
            "table": "orders",
            "select": {"lines": {"relation": name, "columns": ["id"]}},
            "where": {"number": 1},
            "offset": 0,
        }
    )
    assert answer == [{"lines": [{"id": 1}, {"id": 2}]}, {"lines": [{"id": 3}]}]
    answer = await database.ask({"table": "lines", "select": {"order": {"relation": up}}, "order_by": "id"})
    assert [row["order"] for row in answer] == [{"region": "a", "number": 1}] * 2 + [{"region": "b", "number": 1}, None]
    pages = await database.ask({"table": "orders", "after": {"region": "a", "number": 2}})
    assert [(row["region"], row["number"]) for row in pages] == [("a", 3), *itertools.product(["b"], [1, 2, 3])]


async def test_names_with_half_a_character(tree: Database) -> None:
    """JavaScript's strings may end in the middle of one, which is no UTF-8."""
    query = {"table": "nodes", "select": {"\ud800": "id"}, "where": {"id": 1}}
    assert json.loads(await tree.text(query)) == [{"\ud800": 1}]
    assert (await tree.refusal({"table": "nodes", "where": {"\ud800": 1}})).code == "UNKNOWN_COLUMN"
    assert (await tree.refusal({"table": "nodes", "where": {"name": "\ud800"}})).code == "INVALID_VALUE"

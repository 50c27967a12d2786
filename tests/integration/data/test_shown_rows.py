"""Views, and tables that inherit, are no way around the policies of the tables whose rows they show."""

from __future__ import annotations

from typing import Any

import pytest

from flux.data.policy.assemble import assemble
from flux.data.policy.document import Document
from flux.data.policy.model import NOBODY
from flux.data.schema.introspect import read_schema
from flux.data.schema.model import Schema
from flux.store.pool import Connection
from tests.fixtures.data.engine import Answer, Engine
from tests.fixtures.data.lines import Binary, prepare

TABLES = """
CREATE SCHEMA shown; SET LOCAL search_path TO shown;
CREATE TABLE owners (id int PRIMARY KEY);
CREATE TABLE notes (id int PRIMARY KEY, body text, owner_id int REFERENCES owners);
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE days (at date NOT NULL, body text) PARTITION BY RANGE (at);
CREATE TABLE today PARTITION OF days DEFAULT;
CREATE VIEW of_notes AS SELECT id, body FROM notes;
CREATE VIEW behind AS SELECT (SELECT max(id) FROM of_notes) AS id FROM other;
CREATE VIEW asking WITH (security_invoker = true) AS SELECT * FROM notes;
CREATE VIEW of_other AS SELECT id FROM other;
CREATE VIEW of_today AS SELECT body FROM today;
CREATE MATERIALIZED VIEW kept AS SELECT id FROM notes;
CREATE TABLE child () INHERITS (notes);
CREATE TABLE grandchild () INHERITS (child);
CREATE TABLE twice () INHERITS (notes, other);
"""
NOTES = {"member": {"select": {"where": "id = 1"}}}


async def made(connection: Connection) -> Schema:
    await prepare(connection)
    await connection.execute("BEGIN")
    await connection.execute(TABLES)
    return await read_schema(connection)


@pytest.mark.parametrize(
    ("documents", "closed"),
    [
        ({"notes": NOTES}, "asking behind child grandchild kept of_notes other twice of_other"),
        ({"days": {"member": {"preset": "read_only"}}}, "of_today"),
        ({"grandchild": NOTES}, "asking behind child kept notes of_notes"),
        ({"owners": {"member": {"preset": "read_only"}}}, ""),
        ({}, ""),
    ],
)
async def test_what_shows_rows_of_a_table_with_a_policy_needs_one(
    connection: Connection, documents: dict[str, Document], closed: str
) -> None:
    assert assemble(documents, await made(connection)).policies.closed == set(closed.split())


async def test_it_is_denied_to_all_until_it_has_one(connection: Connection) -> None:
    schema = await made(connection)
    await connection.execute("INSERT INTO notes VALUES (1, 'a')")

    async def ask(document: dict[str, Any], **documents: Document) -> Answer:
        policies = assemble({"notes": NOTES, **documents}, schema).policies
        return await Engine(Binary(connection), schema, policies).ask(document, NOBODY)

    for table in ("of_notes", "asking", "kept", "child"):
        for operation in ("select", "count"):
            refused = await ask({"table": table, "operation": operation})
            assert refused.code == "FORBIDDEN_TABLE"
            assert "has none of its own" in refused.message
    answer = await ask({"table": "of_notes"}, of_notes={"*": {"preset": "read_only"}})
    assert answer.value == [{"id": 1, "body": "a"}]

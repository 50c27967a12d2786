"""Who changed what, through a real server: engine, raw SQL, triggers, and what a rollback leaves."""

from __future__ import annotations

from typing import Any

import orjson

from flux.store.pool import Connection
from tests.fixtures.server import Client

from .policed import caller, flux


async def recorded(connection: Connection, request_id: str) -> list[tuple[Any, ...]]:
    """(table, operation, function, actor, tenant, span's operation) of a request's mutations, in order."""
    rows = await connection.fetch(
        """
        SELECT t.name, m.operation, m.function, m.actor, m.tenant, (
            SELECT one ->> 'op' FROM flux.executions e, json_array_elements(e.spans) AS one
            WHERE e.request_id = m.request_id AND (one ->> 'id')::int = m.span) AS op
        FROM flux.mutations m JOIN flux.managed_tables t ON t.id = m.table_id WHERE m.request_id = $1 ORDER BY m.id
        """,
        request_id,
    )
    return [tuple(row) for row in rows]


async def test_every_write_names_its_origin(policed: Client, connection: Connection) -> None:
    ann = await caller(policed, "ann", "member")
    row = {"owner": ann.uid, "tenant": "acme", "body": "x"}
    _, _, by_engine = await ann.call("engine", {"table": "notes", "operation": "insert", "data": row})
    insert = "insert into notes (owner, tenant, body) values ($1, 'acme', 'y')"
    _, answer, by_raw_sql = await ann.call("raw", {"statements": [[insert, ann.uid]]})
    assert answer == [[]]
    _, both, in_both = await ann.call("both", {})
    await policed.execution(in_both)  # its record is stored

    who = (ann.uid, "acme")
    # Triggers that Flux made fire before the team's, whose writes are of the same call.
    assert sorted(await recorded(connection, by_engine)) == [
        ("counts", "insert", "engine", *who, "db.query"),
        ("notes", "insert", "engine", *who, "db.query"),
    ]
    assert sorted(await recorded(connection, by_raw_sql)) == [
        ("counts", "update", "raw", *who, "db.sql"),
        ("notes", "insert", "raw", *who, "db.sql"),
    ]
    assert sorted(await recorded(connection, in_both)) == [
        ("counts", "update", "both", *who, "db.insert"),
        ("notes", "insert", "both", *who, "db.insert"),
        ("notes", "update", "both", *who, "db.sql"),
    ]
    assert both["seen"] == [{"body": "by raw SQL"}]
    assert await connection.fetchval("SELECT count(*) FROM flux.jobs") == 1
    assert "hidden" not in str(await connection.fetch("SELECT old::text, new::text FROM flux.mutations"))


async def test_what_is_rolled_back_stays_in_the_trace_only(policed: Client, connection: Connection) -> None:
    ann = await caller(policed, "ann", "member")
    status, _, request_id = await ann.call("both", {"fail": True})
    assert status == 409
    for table in ("notes", "counts", "flux.jobs", "flux.mutations"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    execution = await policed.execution(request_id)
    undone = [span["op"] for span in execution["spans"] if span["attributes"].get("rolled_back")]
    assert undone == ["db.insert", "db.sql", "queue.push"]
    assert execution["mutations"] == []
    _, said = await flux(policed, "trace", request_id)
    assert "rolled back" in said


async def test_state_tells_it(policed: Client) -> None:
    ann = await caller(policed, "ann", "member")
    _, answer, request_id = await ann.call("both", {})
    code, said = await flux(policed, "state", "history", "notes", "--id", str(answer["id"]), "--json")
    assert code == 0, said
    versions = orjson.loads(said)["items"]
    assert [(item["version"], item["operation"], item["actor"], item["request_id"]) for item in versions] == [
        (2, "update", ann.uid, request_id),
        (1, "insert", ann.uid, request_id),
    ]
    assert versions[0]["changed"] == ["body"]
    assert versions[1]["new"]["secret"].startswith("masked:")
    code, said = await flux(policed, "state", "blame", "notes", "--id", str(answer["id"]))
    assert code == 0, said
    assert "both" in said
    status, found = await policed.api("GET", f"/executions/{request_id}")
    assert status == 200
    assert [item["operation"] for item in found["mutations"]] == ["insert", "insert", "update"]


async def test_changes_by_hand_have_no_request(policed: Client, connection: Connection) -> None:
    await connection.execute("INSERT INTO notes (owner, body) VALUES ('x', 'by hand')")
    row = await connection.fetchrow("SELECT request_id, actor FROM flux.mutations ORDER BY id LIMIT 1")
    assert row is not None
    assert tuple(row) == (None, "flux")

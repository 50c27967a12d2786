"""What an execution changed, in its record."""

from __future__ import annotations

import uuid

import orjson
import pytest

from flux.data.mutation.identity import identity
from flux.store import executions
from flux.store.copy import copy_rows
from flux.store.mutations import record
from flux.store.pool import Connection
from tests.integration.store.rows import row

SPANS = (
    '[{"id":3,"op":"db.begin","input":{},"status":"ok","output":{"tx":1},"attributes":{},"settled":1},'
    '{"id":4,"op":"db.insert","input":{"tx":1,"n":1.50},"status":"ok","output":null,"attributes":{"r":1},"settled":2},'
    '{"id":5,"op":"db.rollback","input":{"tx":1},"status":"ok","output":null,"attributes":{},"settled":3}]'
)


async def test_mutations_and_rollbacks(changing: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    request = uuid.uuid4()
    await copy_rows(changing, [row(request_id=request.bytes, spans=SPANS.encode())])
    async with changing.transaction():
        await changing.execute(
            "SELECT set_config('flux.identity', $1, true)", identity(request_id=str(request), span=7, function="f")
        )
        await changing.execute("INSERT INTO users (email, amount) VALUES ('a', 1.50), ('b', 2)")
        await changing.execute("UPDATE users SET email = 'c' WHERE id = 1")
    await changing.execute("UPDATE users SET email = 'd' WHERE id = 1")
    found = await executions.get(changing, str(request))
    assert found is not None
    text = orjson.dumps(found)
    assert b'"n":1.50' in text
    assert b'"amount":1.50' in text
    parsed = orjson.loads(text)
    assert [span["attributes"] for span in parsed["spans"]] == [{}, {"r": 1, "rolled_back": True}, {}]
    assert [(each["operation"], each["row"], each["span"]) for each in parsed["mutations"]] == [
        ("insert", {"id": 1}, 7),
        ("insert", {"id": 2}, 7),
        ("update", {"id": 1}, 7),
    ]
    assert parsed["mutation_count"] == 3
    monkeypatch.setattr(record, "OF_REQUEST", 2)
    found = await executions.get(changing, str(request))
    assert found is not None
    assert (len(found["mutations"]), found["mutation_count"]) == (2, 3)

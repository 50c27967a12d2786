"""/flux/api/state, on a real Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from flux.master.api.live import Live
from flux.master.api.operator import operator_guard
from flux.master.api.serve import Api
from flux.master.api.services import ApiServices
from flux.store.mutations.install import install
from flux.store.pool import Pool
from tests.integration.master.conftest import LIVE, Answer, Client, Serve

OPERATOR = "fluxop_" + "k" * 43


class Node:
    def __init__(self, client: Client, pool: Pool) -> None:
        self.client = client
        self.pool = pool

    async def ask(self, path: str) -> Answer:
        head = f"GET /flux/api/state/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {OPERATOR}\r\n\r\n"
        return await self.client.ask(head.encode())


async def never(*_: Any) -> Any:
    raise AssertionError


@pytest.fixture
async def node(pool: Pool, serve: Serve) -> AsyncIterator[Node]:
    async with pool.acquire() as conn:
        await conn.execute("CREATE TABLE seats (row text, number int, name text, PRIMARY KEY (row, number))")
        await install(conn)
    services = ApiServices(
        pool=pool,
        manifest=lambda: LIVE,
        invoke=never,
        rehearse=never,
        replay=never,
        keys_changed=lambda _: None,
        live=Live(),
    )
    served = await serve(api=Api(services).mount(operator_guard(OPERATOR)))
    async with await served.connect() as client:
        yield Node(client, pool)


def moment() -> str:
    return quote(datetime.now(UTC).isoformat())


async def test_a_row_through_time(node: Node) -> None:
    await node.pool.execute("INSERT INTO seats VALUES ('a', 1, 'Ada'), ('a', 2, 'Bob')")
    start = moment()
    await node.pool.execute("UPDATE seats SET name = 'Eve' WHERE number = 1")
    id_ = quote("row=a,number=1")
    history = (await node.ask(f"seats/history?id={id_}&limit=1")).json()
    assert (history["row"], history["items"][0]["version"]) == ({"row": "a", "number": 1}, 2)
    rest = (await node.ask(f"seats/history?id={id_}&after={history['next']}")).json()
    assert [each["version"] for each in rest["items"]] == [1]
    blame = (await node.ask(f"seats/blame?id={id_}")).json()
    assert [each["version"] for each in blame["columns"]] == [1, 1, 2]
    assert (await node.ask(f"seats/at?time={start}&id={id_}")).json()["values"]["name"] == "Ada"
    stood = (await node.ask(f"seats/at?time={start}&limit=1")).json()
    assert (stood["items"][0]["values"]["name"], stood["items"][0]["current"]) == ("Ada", False)
    more = (await node.ask(f"seats/at?time={start}&after={quote(stood['next'])}")).json()
    assert [(each["values"]["name"], each["current"]) for each in more["items"]] == [("Bob", True)]
    diff = (await node.ask(f"seats/diff?from={start}")).json()
    assert diff["counts"] == {"inserted": 0, "updated": 1, "deleted": 0}
    diff = (await node.ask(f"seats/diff?from={start}&to={moment()}&id={id_}")).json()
    assert diff["changes"] == [{"column": "name", "old": "Ada", "new": "Eve"}]
    restore = (await node.ask(f"seats/restore?to={start}")).json()
    assert "SET \"name\" = 'Ada'" in restore["sql"]
    assert (await node.pool.fetchval("SELECT name FROM seats WHERE number = 1")) == "Eve"


async def test_what_is_wrong_is_said(node: Node) -> None:
    for path, status, code in (
        ("nothing/history?id=1", 404, "NOT_FOUND"),
        ("seats/history", 400, "INVALID_REQUEST"),
        ("seats/history?id=1", 400, "INVALID_ARGUMENT"),
        ("seats/history?id=" + quote("row=a,number=x"), 400, "INVALID_VALUE"),
        ("seats/history?id=" + quote("row=a,number=1") + "&after=x", 400, "INVALID_REQUEST"),
        ("seats/at", 400, "INVALID_REQUEST"),
        ("seats/at?time=yesterday", 422, "VALIDATION_FAILED"),
        ("seats/diff", 400, "INVALID_REQUEST"),
        (f"seats/diff?from=2999-01-01T00:00:00Z&to={moment()}", 400, "INVALID_REQUEST"),
        ("seats/restore", 400, "INVALID_REQUEST"),
    ):
        answer = await node.ask(path)
        assert (answer.status, answer.code) == (status, code), path

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from flux.errors import Conflict, RequestError
from flux.store import executions, jobs
from flux.store.copy import copy_rows
from flux.store.cursor import Page
from flux.store.pool import Connection

from .rows import now_us, row


def json(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


async def test_get_in_full(connection: Connection) -> None:
    request_id = uuid.uuid4()
    await copy_rows(
        connection,
        [row(request_id=request_id.bytes, started_us=1_000_001 + now_us() // 1_000_000 * 1_000_000, tenant="acme")],
    )
    found = json(await executions.get(connection, str(request_id)))
    assert found["started_at"].endswith(".000001Z")
    assert datetime.fromisoformat(found.pop("started_at")).tzinfo is UTC
    assert found == {
        "request_id": str(request_id),
        "parent_request_id": None,
        "replay_of": None,
        "kind": "http",
        "tenant": "acme",
        "method": "POST",
        "path": "/create_user",
        "route": "/create_user",
        "function": "create_user",
        "code_version": "c0de",
        "status": 200,
        "error": None,
        "duration_ms": 81.25,
        "seed": "00" * 32,
        "request": {"headers": []},
        "input": {"email": "ada@example.com"},
        "output": {"id": 1},
        "spans": [{"id": 1, "parent": 0}],
        "logs": [],
        "children": [],
        "mutations": [],
        "mutation_count": 0,
    }


async def test_json_passes_through_as_it_is(connection: Connection) -> None:
    request_id = uuid.uuid4()
    text = rb'{"z":1, "a":12345678901234567890.10, "s":"\ud800\u0000"}'
    await copy_rows(connection, [row(request_id=request_id.bytes, input=text)])
    assert b'"input":' + text in orjson.dumps(await executions.get(connection, str(request_id)))


async def test_prefix(connection: Connection) -> None:
    first, second = uuid.UUID("4f9a3b2c-0000-4000-8000-000000000000"), uuid.UUID("4f9a3b2c-ffff-4fff-bfff-ffffffffffff")
    await copy_rows(connection, [row(request_id=first.bytes), row(), row()])
    for text in ("4f9a3b2c", "4F9A3B2C", "4f9a3b2c-0000", "4f9a3b2c00004", str(first), first.hex):
        assert (await executions.get(connection, text) or {})["request_id"] == str(first)
    await copy_rows(connection, [row(request_id=second.bytes)])
    with pytest.raises(Conflict) as raised:
        await executions.get(connection, "4f9a3b2c")
    assert str(first) in raised.value.message
    assert str(second) in raised.value.message
    assert (await executions.get(connection, "4f9a3b2cf") or {})["request_id"] == str(second)
    assert await executions.get(connection, "00000000") is None


@pytest.mark.parametrize("text", ["", "4f9a3b2", "xxxxxxxx", "4f9a3b2c" * 5, "4f9a3b2c' OR 1=1"])
async def test_what_is_no_id(connection: Connection, text: str) -> None:
    with pytest.raises(RequestError):
        await executions.get(connection, text)


async def test_id_sent_twice_shows_the_latest(connection: Connection) -> None:
    request_id = uuid.uuid4()
    for status, started_us in ((200, now_us()), (500, now_us() + 10)):
        await copy_rows(connection, [row(request_id=request_id.bytes, status=status, started_us=started_us)])
    assert (await executions.get(connection, str(request_id)) or {})["status"] == 500


async def pages(conn: Connection, limit: int, **filters: Any) -> list[dict[str, Any]]:
    found, after = [], None
    while True:
        page: Page = await executions.page(conn, after=after, limit=limit, **filters)
        assert len(page.items) <= limit
        found += json(page.items)
        if (after := page.next) is None:
            return found


@pytest.mark.parametrize("limit", [1, 7, 25, 26])
async def test_pages_newest_first_over_equal_times_and_days(connection: Connection, limit: int) -> None:
    base = now_us()
    yesterday = base - 86_400_000_000
    rows = [(uuid.uuid4(), moment) for moment in (base, base, base, base + 1, yesterday) for _ in range(5)]
    await copy_rows(connection, [row(request_id=id_.bytes, started_us=moment) for id_, moment in rows])
    expected = [str(id_) for id_, _ in sorted(rows, key=lambda pair: (pair[1], pair[0].bytes), reverse=True)]
    assert [item["request_id"] for item in await pages(connection, limit)] == expected


async def test_page_is_stable_while_new_ones_arrive(connection: Connection) -> None:
    base = now_us()
    await copy_rows(connection, [row(started_us=base + number) for number in range(10)])
    first = await executions.page(connection, limit=5)
    await copy_rows(connection, [row(started_us=base + 100)])
    second = await executions.page(connection, limit=5, after=first.next)
    ids = [item["request_id"] for item in first.items + second.items]
    assert len(set(ids)) == 10
    assert second.next is None


async def test_filters(connection: Connection) -> None:
    base = now_us()
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=base)
    await copy_rows(
        connection,
        [
            row(started_us=base - 1000, function="a", status=200, tenant="x"),
            row(started_us=base, function="a", status=500, kind="job"),
            row(started_us=base + 1000, function="b", status=404),
            row(started_us=base + 2000, function=None, status=503),
        ],
    )

    async def statuses(**filters: Any) -> list[int]:
        return [item["status"] for item in await pages(connection, 2, **filters)]

    assert await statuses() == [503, 404, 500, 200]
    assert await statuses(function="a") == [500, 200]
    assert await statuses(status=404) == [404]
    assert await statuses(tenant="x") == [200]
    assert await statuses(kind="job", function="a") == [500]
    assert await statuses(errors_only=True) == [503, 500]
    assert await statuses(since=moment) == [503, 404, 500]
    assert await statuses(until=moment) == [200]
    assert await statuses(function="a", errors_only=True, since=moment) == [500]
    assert await statuses(function="none") == []


async def test_listing_has_no_bodies(connection: Connection) -> None:
    await copy_rows(connection, [row()])
    [item] = (await executions.page(connection)).items
    assert not {"input", "output", "spans", "logs", "request", "seed"} & item.keys()


async def test_limit_is_bounded_and_cursor_checked(connection: Connection) -> None:
    await copy_rows(connection, [row() for _ in range(executions.PAGE_LIMIT + 1)])
    assert len((await executions.page(connection, limit=10**9)).items) == executions.PAGE_LIMIT
    assert len((await executions.page(connection, limit=0)).items) == 1
    with pytest.raises(RequestError):
        await executions.page(connection, after="nonsense")


async def test_children(connection: Connection) -> None:
    """A job that has run, one that failed once and waits, one whose row is gone, an invocation."""
    parent = uuid.uuid4()
    await copy_rows(connection, [row(request_id=parent.bytes)])
    for function in ("send_welcome", "sync_crm", "later"):
        await jobs.push(connection, function=function, payload=b"{}", parent_request_id=parent)
    ran, failed = await jobs.claim(connection, limit=9, functions=["send_welcome", "sync_crm"], lease_s=60)
    await jobs.complete(connection, [ran.job_id])
    await jobs.retry(connection, [jobs.Failure(job_id=failed.job_id, attempt=1, error=rb'"\u0000"')])
    [again] = await jobs.claim(connection, limit=9, functions=["sync_crm"], lease_s=60)
    of_job = {"kind": "job", "parent_request_id": parent.bytes}
    await copy_rows(
        connection,
        [
            row(request_id=ran.request_id.bytes, function="send_welcome", duration_us=5000, **of_job),
            row(request_id=failed.request_id.bytes, function="sync_crm", status=500, **of_job),
            row(function="swept_away", status=500, **of_job),
            row(function="invoked", kind="invoke", parent_request_id=parent.bytes),
        ],
    )
    found = json((await executions.get(connection, str(parent)) or {})["children"])
    assert [(child["function"], child["state"], child["attempts"], child["status"]) for child in found] == [
        ("send_welcome", "done", 1, 200),
        ("sync_crm", "running", 2, None),
        ("later", "queued", 0, None),
        ("swept_away", "failed", None, 500),
        ("invoked", "done", None, 200),
    ]
    assert found[0]["request_id"] == str(ran.request_id)
    assert found[0]["duration_ms"] == 5.0
    assert found[1]["request_id"] == str(again.request_id)

"""Executions as they finish."""

from __future__ import annotations

import asyncio
import contextlib

import orjson

from flux.master.api.live import WAITING, Live, summary
from flux.record.row import ExecutionRow, encode


def row(number: int, **changes: object) -> bytes:
    fields = {
        "request_id": number.to_bytes(16, "big"),
        "parent_request_id": None,
        "replay_of": bytes(16),
        "kind": "http",
        "tenant": None,
        "method": "GET",
        "path": "/é",
        "route": "/:x",
        "function": "hello",
        "code_version": None,
        "status": 200,
        "error": None,
        "started_us": 1_000_001,
        "duration_us": 2_500,
        "seed": b"s",
        "request": None,
        "input": b'{"secret":1}',
        "output": None,
        "spans": b"[]",
        "logs": None,
        **changes,
    }
    return encode(ExecutionRow(**fields))  # type: ignore[arg-type]  # of the right types, but in one dictionary


def test_summary_reads_the_tuple() -> None:
    found = orjson.loads(orjson.dumps(summary(row(7, error=b'{"code":"X"}', logs=b"[1]"))))
    assert found == {
        "request_id": "00000000-0000-0000-0000-000000000007",
        "parent_request_id": None,
        "replay_of": "00000000-0000-0000-0000-000000000000",
        "kind": "http",
        "tenant": None,
        "method": "GET",
        "path": "/é",
        "route": "/:x",
        "function": "hello",
        "code_version": None,
        "status": 200,
        "error": {"code": "X"},
        "started_at": "1970-01-01T00:00:01.000001Z",
        "duration_ms": 2.5,
        "logs": [1],
    }
    assert summary(row(7))["logs"] == []


async def test_a_slow_listener_loses_the_oldest_and_is_told() -> None:
    live = Live()
    async with contextlib.aclosing(live.listen(60)) as listener:
        first = asyncio.ensure_future(anext(listener))
        await asyncio.sleep(0)
        live.publish([row(number) for number in range(WAITING + 5)])
        assert await first == 5
        item = await anext(listener)
        assert isinstance(item, dict)
        assert int(item["request_id"].replace("-", ""), 16) == 5


async def test_silence_is_told_and_leaving_frees() -> None:
    live = Live()
    async with contextlib.aclosing(live.listen(0.001)) as listener:
        assert await anext(listener) is None
        live.publish([row(1)])
        assert isinstance(await anext(listener), dict)
    live.publish([row(2)])
    assert live.listeners == 0

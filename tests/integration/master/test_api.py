"""The management API over HTTP, on a real Postgres."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from flux.errors import WorkerDied
from flux.manifest import FunctionSpec
from flux.master.api.live import Live
from flux.master.api.operator import operator_guard
from flux.master.api.serve import ALL, Api
from flux.master.api.services import ApiServices
from flux.master.gateway.auth import KeyTable
from flux.master.http.call import Result
from flux.record.row import ExecutionRow, encode
from flux.store.copy import copy_rows
from flux.store.pool import Pool
from tests.integration.master.conftest import LIVE, Answer, Client, Serve, Served

OPERATOR = "fluxop_" + "k" * 43
REHEARSED = str(uuid.UUID(int=7))


def row(**changes: Any) -> ExecutionRow:
    fields: dict[str, Any] = {
        "request_id": uuid.uuid4().bytes,
        "parent_request_id": None,
        "replay_of": None,
        "kind": "http",
        "tenant": "acme",
        "method": "POST",
        "path": "/hello",
        "route": "/hello",
        "function": "hello",
        "code_version": "0" * 64,
        "status": 200,
        "error": None,
        "started_us": time.time_ns() // 1000,
        "duration_us": 1500,
        "seed": bytes(32),
        "request": b"{}",
        "input": b'{"b":1,"a":12345678901234567890123}',
        "output": b"null",
        "spans": b"[]",
        "logs": None,
    }
    return ExecutionRow(**{**fields, **changes})


def identity(of: ExecutionRow) -> str:
    return str(uuid.UUID(bytes=of.request_id))


class Node:
    """What stands behind the API here: a database, and functions that the test plays."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.live = Live()
        self.keys: KeyTable = {}
        self.invoked: list[tuple[str, bytes, bytes | None]] = []
        self.rehearsed: list[tuple[Any, ...]] = []
        self.replayed: list[dict[str, Any]] = []
        self.unflushed: list[bytes] = []
        self.client: Client

    def services(self) -> ApiServices:
        return ApiServices(
            pool=self.pool,
            manifest=lambda: LIVE,
            invoke=self.invoke,
            rehearse=self.rehearse,
            replay=self.replay,
            keys_changed=lambda table: setattr(self, "keys", table),
            live=self.live,
            flush=self.flush,
        )

    async def invoke(self, spec: FunctionSpec, request_id: bytes, body: bytes | None) -> Result:
        self.invoked.append((spec.name, request_id, body))
        if spec.name == "closed":
            raise WorkerDied
        return Result(201, [("Content-Type", "text/plain"), ("x-own", "1")], b"made")

    async def rehearse(
        self, spec: FunctionSpec, body: bytes | None, *, tenant: str | None, user: Mapping[str, Any] | None
    ) -> tuple[str, Result]:
        self.rehearsed.append((spec.name, body, tenant, user))
        return REHEARSED, Result(409, [], b"{}")

    async def replay(self, execution: dict[str, Any]) -> dict[str, Any]:
        self.replayed.append(execution)
        return {"request_id": str(uuid.uuid4()), "of": execution["request_id"], "match": True}

    async def flush(self) -> None:
        async with self.pool.acquire() as conn:
            await copy_rows(conn, self.unflushed)
        self.unflushed.clear()

    async def store(self, *rows: ExecutionRow) -> None:
        async with self.pool.acquire() as conn:
            await copy_rows(conn, [encode(each) for each in rows])

    async def ask(self, method: str, path: str, body: Any = None, key: str | None = OPERATOR) -> Answer:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        auth = f"Authorization: Bearer {key}\r\n" if key else ""
        head = f"{method} /flux/api{path} HTTP/1.1\r\nHost: x\r\n{auth}Content-Length: {len(content)}\r\n\r\n"
        return await self.client.ask(head.encode() + content)


@pytest.fixture
async def node(pool: Pool, serve: Serve) -> AsyncIterator[Node]:
    made = Node(pool)
    served: Served = await serve(api=Api(made.services()).mount(operator_guard(OPERATOR)))
    async with await served.connect() as client:
        made.client = client
        yield made


async def test_only_the_operator_gets_in(node: Node) -> None:
    for key in (None, "wrong", OPERATOR + "x", OPERATOR[:-1], "é"):
        answer = await node.ask("GET", "/executions", key=key)
        assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await node.ask("GET", "/executions")).status == 200


async def test_list_and_get(node: Node) -> None:
    now = time.time_ns() // 1000
    rows = [row(started_us=now - 1000 * age, status=200 if age % 2 else 500) for age in range(5)]
    await node.store(*rows)
    page = (await node.ask("GET", "/executions?limit=3")).json()
    assert [item["request_id"] for item in page["items"]] == [identity(each) for each in rows[:3]]
    rest = (await node.ask("GET", f"/executions?limit=3&after={page['next']}")).json()
    assert [item["request_id"] for item in rest["items"]] == [identity(each) for each in rows[3:]]
    assert rest["next"] is None
    failed = (await node.ask("GET", "/executions?errors=true&function=hello&kind=http&status=500")).json()
    assert len(failed["items"]) == 3
    since = "2999-01-01T00:00:00Z"
    assert (await node.ask("GET", f"/executions?since={since}")).json()["items"] == []
    answer = await node.ask("GET", f"/executions/{identity(rows[0])[:8]}")
    # Raw JSON passes through with its key order and its large numbers.
    assert b'{"b":1,"a":12345678901234567890123}' in answer.body
    assert answer.json()["children"] == []


async def test_an_execution_can_be_read_at_once(node: Node) -> None:
    fresh = row()
    node.unflushed = [encode(fresh)]
    assert (await node.ask("GET", f"/executions/{identity(fresh)}")).status == 200
    newer = row()
    node.unflushed = [encode(newer)]
    assert (await node.ask("GET", "/executions?limit=1")).json()["items"][0]["request_id"] == identity(newer)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/executions/{uuid.UUID(int=7)}", 404, "NOT_FOUND"),
        ("GET", "/executions/xyz", 400, "INVALID_REQUEST"),
        ("GET", "/executions?fucntion=x", 422, "VALIDATION_FAILED"),
        ("GET", "/executions?limit=0", 422, "VALIDATION_FAILED"),
        ("GET", "/executions?limit=501", 422, "VALIDATION_FAILED"),
        ("GET", "/executions?kind=x", 422, "VALIDATION_FAILED"),
        ("GET", "/executions?since=yesterday", 422, "VALIDATION_FAILED"),
        ("GET", "/executions?errors=1", 422, "VALIDATION_FAILED"),
        ("GET", "/executions?after=nonsense", 400, "INVALID_REQUEST"),
        ("DELETE", "/executions", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/executions/", 404, "NOT_FOUND"),
        ("POST", "/invoke/nobody", 404, "NOT_FOUND"),
        ("DELETE", "/keys/nobody00", 404, "NOT_FOUND"),
        ("POST", "/keys", 422, "VALIDATION_FAILED"),
    ],
)
async def test_what_cannot_be_done_is_said(node: Node, method: str, path: str, status: int, code: str) -> None:
    answer = await node.ask(method, path)
    assert (answer.status, answer.code) == (status, code)


async def test_keys(node: Node) -> None:
    made = await node.ask("POST", "/keys", {"name": "billing", "tenant": "acme"})
    assert made.status == 201
    key = made.json()
    assert key["key"].startswith(f"flux_{key['id']}_")
    assert node.keys[key["id"]].tenant == "acme"
    (listed,) = (await node.ask("GET", "/keys")).json()["items"]
    assert listed == {name: key[name] for name in ("id", "name", "tenant", "role", "created_at")}
    assert node.keys[key["id"]].role == key["role"] == "authenticated"
    other = (await node.ask("POST", "/keys", {"name": "app", "role": "member"})).json()
    assert node.keys[other["id"]].role == "member"
    await node.ask("DELETE", f"/keys/{other['id']}")
    revoked = await node.ask("DELETE", f"/keys/{key['id']}")
    assert revoked.json() == {"id": key["id"], "revoked": True}
    assert node.keys == {}
    assert (await node.ask("DELETE", f"/keys/{key['id']}")).status == 404


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (b"{", None),
        ([], []),
        ({"name": ""}, ["name"]),
        ({"name": "x" * 201, "tenant": 7}, ["name", "tenant"]),
        ({"name": "a\nb", "admin": True}, ["name", "admin"]),
        ({"name": "a", "role": "*"}, ["role"]),
    ],
)
async def test_keys_that_cannot_be_made(node: Node, body: Any, paths: list[str] | None) -> None:
    answer = await node.ask("POST", "/keys", body)
    if paths is None:
        assert (answer.status, answer.code) == (400, "INVALID_JSON")
    else:
        assert (answer.status, answer.code) == (422, "VALIDATION_FAILED")
        assert [each["path"] for each in answer.json()["error"].get("violations", [])] == paths


async def test_functions(node: Node) -> None:
    items = (await node.ask("GET", "/functions")).json()["items"]
    assert [item["name"] for item in items] == sorted(LIVE.functions)
    assert items[0]["auth"] == "api_key"


async def test_invoke(node: Node) -> None:
    answer = await node.ask("POST", "/invoke/hello", b'{"a":1}')
    assert (answer.status, answer.body) == (201, b"made")
    assert (answer.headers["content-type"], answer.headers["x-own"]) == ("text/plain", "1")
    ((name, request_id, body),) = node.invoked
    assert (name, str(uuid.UUID(bytes=request_id)), body) == ("hello", answer.headers["x-request-id"], b'{"a":1}')
    failed = await node.ask("POST", "/invoke/closed")
    assert (failed.status, failed.code) == (502, "WORKER_DIED")


async def test_rehearse(node: Node) -> None:
    answer = await node.ask("POST", "/rehearse/hello", b'{"input":[1],"uid":"7","tenant":"a","claims":{"org":1}}')
    assert answer.json() == {"request_id": REHEARSED, "status": 409}
    assert (await node.ask("POST", "/rehearse/hello", b"{}")).status == 200
    user = {"id": "7", "role": "anon", "org": 1}
    assert node.rehearsed == [("hello", b"[1]", "a", user), ("hello", b"{}", None, None)]
    for body, path in ((b'{"role":"No Role"}', "role"), (b'{"uid":7}', "uid"), (b'{"data":{}}', "data")):
        answer = await node.ask("POST", "/rehearse/hello", body)
        assert (answer.status, answer.json()["error"]["violations"][0]["path"]) == (422, path)
    assert (await node.ask("POST", "/rehearse/hello", b"[]")).status == 422
    assert (await node.ask("POST", "/rehearse/nothing", b"{}")).status == 404


async def test_replay(node: Node) -> None:
    recorded = row()
    await node.store(recorded)
    answer = await node.ask("POST", f"/executions/{identity(recorded)}/replay")
    assert answer.json()["of"] == identity(recorded)
    assert node.replayed[0]["function"] == "hello"


def entry(level: str, message: str, t_us: int = 0) -> bytes:
    return b'{"t_us":%d,"level":"%b","message":"%b"}' % (t_us, level.encode(), message.encode())


async def test_logs(node: Node) -> None:
    now = time.time_ns() // 1000
    old = row(started_us=now - 10_000, logs=b"[" + entry("info", "one") + b"," + entry("error", "two", 5) + b"]")
    new = row(function="other", logs=b"[" + entry("warn", "\\u0000\\ud800") + b"]")
    await node.store(old, new, row())

    async def messages(query: str) -> list[str]:
        return [item["message"] for item in (await node.ask("GET", f"/logs{query}")).json()["items"]]

    assert (await messages(""))[1:] == ["two", "one"]
    assert await messages("?function=hello") == ["two", "one"]
    assert await messages("?level=error") == ["two"]
    assert await messages("?function=hello&limit=1") == ["two"]
    assert await messages(f"?request_id={identity(old)[:8]}&level=info") == ["two", "one"]
    assert await messages("?since=2999-01-01") == []


async def test_tail(node: Node) -> None:
    shown = row(function="hello", status=500, error=b'{"code":"X"}', logs=b"[" + entry("info", "one") + b"]")
    node.client.send(b"GET /flux/api/tail?function=hello&errors=true HTTP/1.1\r\nHost: x\r\n")
    node.client.send(f"Authorization: Bearer {OPERATOR}\r\n\r\n".encode())
    answer = await node.client.answer()
    assert answer.headers["content-type"] == "text/event-stream"
    await node.client.reader.readuntil(b": listening\n\n\r\n")
    node.live.publish([encode(row(function="other", status=500)), encode(row()), encode(shown)])
    async with asyncio.timeout(10):
        message = await node.client.reader.readuntil(b"\n\n")
    _, identity_line, data, *_ = message.decode().replace("\r\n", "\n").split("\n")
    assert identity_line == f"id: {identity(shown)}"
    item = json.loads(data.removeprefix("data: "))
    assert (item["status"], item["error"], item["duration_ms"]) == (500, {"code": "X"}, 1.5)
    assert "logs" not in item
    await node.store(shown)
    (listed,) = (await _fresh(node, "/executions?errors=true"))["items"]
    assert item == listed


async def _fresh(node: Node, path: str) -> Any:
    """Asks on a connection of its own: the test's is a stream."""
    port = node.client.writer.get_extra_info("peername")[1]
    async with Client(*await asyncio.open_connection("127.0.0.1", port)) as node.client:
        return (await node.ask("GET", path)).json()


async def test_openapi_describes_every_endpoint(node: Node) -> None:
    document = (await node.ask("GET", "/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    for endpoint in ALL:
        operation = document["paths"][f"/flux/api{endpoint.path}"][endpoint.method.lower()]
        named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
        assert named == {parameter.name for parameter in endpoint.query}
        assert operation["responses"][str(endpoint.status)]
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert document["components"]["schemas"][name]


async def test_answers_are_of_the_declared_shape(node: Node) -> None:
    await node.store(row(logs=b"[" + entry("info", "one") + b"]"))
    schemas = (await node.ask("GET", "/openapi.json")).json()["components"]["schemas"]
    page = (await node.ask("GET", "/executions")).json()
    assert set(page["items"][0]) == set(schemas["ExecutionSummary"]["required"])
    execution = (await node.ask("GET", f"/executions/{page['items'][0]['request_id']}")).json()
    assert set(execution) == set(schemas["Execution"]["required"])
    assert set((await node.ask("GET", "/functions")).json()["items"][0]) == set(schemas["Function"]["required"])
    assert set((await node.ask("GET", "/logs")).json()["items"][0]) == set(schemas["LogLine"]["required"])


def test_the_operator_key_is_made_once_and_private(tmp_path: Path) -> None:
    from flux.errors import LocalError
    from flux.master.api.operator import FILE_NAME, operator_key

    key = operator_key(tmp_path)
    file = tmp_path / FILE_NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text() == key + "\n"
    file.chmod(0o644)
    assert operator_key(tmp_path) == key
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("")
    with pytest.raises(LocalError, match="holds no key"):
        operator_key(tmp_path)
    with pytest.raises(LocalError, match="No such file"):
        operator_key(tmp_path / "none")

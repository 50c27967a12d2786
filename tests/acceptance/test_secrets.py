"""What is secret does not reach the record, nor the log; and what was done with it can be replayed all the same."""

from __future__ import annotations

import base64
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from flux.record.redaction import KEY_RESULTS
from flux.store.pool import Connection
from tests.fixtures.server import Serve

from .projects import copy_of

TOKEN = "tok-3b6f0c1e9a"
PASSWORD = "correct horse battery"
CALLER = "caller-5d41402abc"
RAW_KEY = b"raw key material" * 2
EVERYTHING = "SELECT row_to_json(e)::text FROM flux.executions e"


@pytest.fixture
async def upstream() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"you_sent": request.headers["authorization"], "body": await request.text()})

    application = web.Application()
    application.router.add_post("/", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_secrets_stay_secret_and_run_again(
    serve: Serve, upstream: str, tmp_path: Path, connection: Connection
) -> None:
    host = upstream.removeprefix("http://").rstrip("/")
    project = copy_of("secrets", tmp_path, f'[outbound]\nallow_hosts = ["{host}"]\n')
    client = await serve(project, settings={"FLUX_SECRET_TOKEN": TOKEN})
    body = {"password": PASSWORD, "upstream": upstream}
    headers = {"authorization": f"Bearer {CALLER}", "cookie": f"session={CALLER}", "x-api-key": CALLER}
    status, answer, request_id = await client.post("/everything", body, headers)
    assert status == 200, await client.execution(request_id)
    assert answer["macs"][0] == answer["macs"][1]

    execution = await client.execution(request_id)
    sealed = [span for span in execution["spans"] if span["op"] in KEY_RESULTS]
    assert {span["op"] for span in sealed} == KEY_RESULTS - {"crypto.deriveKey"}
    assert all(span["output"].keys() == {"$sealed"} for span in sealed)
    keys = [span["input"]["key"] for span in execution["spans"] if "key" in (span["input"] or {})]
    assert {key["data"] for key in keys} == {"[redacted]"}

    replays = []
    for _ in range(2):
        _, replay = await client.api("POST", f"/executions/{request_id}/replay")
        assert replay["match"], replay
        replays.append(await client.execution(replay["request_id"]))
    assert await client.server.stop() == 0

    rows = "\n".join(row[0] for row in await connection.fetch(EVERYTHING))
    assert rows.count("[redacted]") > 10
    encoded = (base64.b64encode(RAW_KEY), base64.urlsafe_b64encode(RAW_KEY).rstrip(b"="))
    for secret in (TOKEN, PASSWORD, CALLER, RAW_KEY.decode(), *(text.decode() for text in encoded)):
        assert secret not in rows
        assert secret not in client.server.output()
    assert stat.S_IMODE((client.server.data / "seal.key").stat().st_mode) == 0o600


async def test_a_secret_that_does_not_exist_is_an_error_of_its_own(serve: Serve, tmp_path: Path) -> None:
    client = await serve(copy_of("secrets", tmp_path))
    status, answer, _ = await client.post("/everything", {"password": PASSWORD, "upstream": "http://127.0.0.1:1/"})
    assert (status, answer["error"]["code"]) == (404, "SECRET_NOT_FOUND")

"""What a newcomer does first: post to the quickstart, and read the trace."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.fixtures.server import Client, Serve

FLUX = Path(sys.executable).with_name("flux")


async def flux(client: Client, *arguments: str) -> tuple[int, str]:
    """Exit code and output of the command line, pointed at the server."""
    process = await asyncio.create_subprocess_exec(
        FLUX,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "FLUX_URL": client.server.url, "FLUX_KEY": client.server.key, "NO_COLOR": "1"},
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def finished(client: Client, request_id: str) -> dict[str, object]:
    """The execution once the job that it pushed has run."""
    while True:
        execution: dict[str, object] = await client.execution(request_id)
        children = execution["children"]
        assert isinstance(children, list)
        if children and children[0]["status"] is not None:
            return execution
        await asyncio.sleep(0.02)


async def test_create_user_is_served_recorded_traced_and_replayed(serve: Serve) -> None:
    client = await serve(workers=2)
    status, body, request_id = await client.post("/create_user", {"email": "ada@example.com"})
    assert (status, body) == (200, {"id": 1})
    execution = await asyncio.wait_for(finished(client, request_id), 20)
    assert execution["input"] == {"email": "ada@example.com"}
    assert execution["output"] == {"id": 1}
    spans = execution["spans"]
    assert isinstance(spans, list)
    assert [span["name"] for span in spans] == [
        "gateway",
        "create_user",
        "db:select(users)",
        "db:insert(users)",
        "queue:push(send_welcome)",
    ]
    code, trace = await flux(client, "trace", request_id[:8])
    assert code == 0
    tree = re.sub(r"\n *! .*?(?=\n *──)", "\n", trace, flags=re.DOTALL)  # without hints: this machine may be slow
    assert (
        re.sub(r"─+", "─", re.sub(r"[\d.]+m?s\b", "_", tree)).split()
        == (
            f"Trace {request_id[:8]} POST /create_user 200 ▸ gateway _ auth ✔ rate_limit ✔ cors ✔ ▸ create_user _ "
            "▸ db:select(users) _ ▸ db:insert(users) _ ▸ send_welcome async → 200 _ ─ total: _ ─"
        ).split()
    )
    code, replay = await flux(client, "replay", request_id)
    assert (code, "same result" in replay) == (0, True)


async def test_errors_have_one_shape_and_a_source_line(serve: Serve) -> None:
    client = await serve()
    await client.post("/create_user", {"email": "ada@example.com"})
    status, body, request_id = await client.post("/create_user", {"email": "ada@example.com"})
    assert (status, body["error"]["code"], body["error"]["request_id"]) == (409, "EMAIL_TAKEN", request_id)
    status, body, _ = await client.post("/create_user", {"email": "no"})
    assert (status, body["error"]["code"]) == (422, "VALIDATION_FAILED")
    assert body["error"]["violations"][0]["path"] == "email"
    status, body, _ = await client.post("/nowhere")
    assert (status, body["error"]["code"]) == (404, "ROUTE_NOT_FOUND")
    code, trace = await flux(client, "trace", request_id)
    assert code == 0
    assert "create_user.ts:12" in trace


async def test_the_server_answers_who_it_is(serve: Serve) -> None:
    client = await serve()
    for path in ("/health", "/readiness", "/version"):
        async with client.session.get(client.server.url + path) as response:
            assert response.status == 200
    assert "flux_workers_ready 1" in await metrics(client)
    os.kill(client.server.worker_pids()[0], signal.SIGKILL)
    async with asyncio.timeout(20):
        while "flux_worker_respawns_total 1" not in await metrics(client):
            await asyncio.sleep(0.02)
    assert await client.server.stop() == 0


async def metrics(client: Client) -> str:
    async with client.session.get(client.server.url + "/metrics") as response:
        return await response.text()


async def test_a_second_server_on_the_same_data_folder_says_so(serve: Serve) -> None:
    client = await serve()
    process = await asyncio.create_subprocess_exec(
        FLUX,
        *("serve", "--project", client.server.project, "--data", client.server.data, "--port", "0"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()
    assert process.returncode == 5
    assert b"Another Flux serves from" in error


@pytest.mark.parametrize("command", [("trace", "00000000"), ("replay", "00000000")])
async def test_an_unknown_id_is_exit_code_4(serve: Serve, command: tuple[str, ...]) -> None:
    client = await serve()
    code, _ = await flux(client, *command)
    assert code == 4

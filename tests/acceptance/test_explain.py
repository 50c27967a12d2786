"""`flux explain` and the hints of `flux trace`, from a real server's record."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from flux.store.pool import Connection
from tests.fixtures.server import FLUX, Client, Serve

from .projects import HERE, copy_of

MANY = """
INSERT INTO public.members (tenant, email) SELECT 'a', 'm' || n || '@a.org' FROM generate_series(1, 4000) AS n;
INSERT INTO public.notes (tenant, member_id, title) SELECT 't' || n, n, 'note ' || n FROM generate_series(3, 4000) AS n;
ANALYZE public.members; ANALYZE public.notes;
"""


async def flux(client: Client, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        FLUX,
        *arguments,
        *("--url", client.server.url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "FLUX_KEY": client.server.key},
    )
    out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_queries_and_executions(serve: Serve, tmp_path: Path) -> None:
    project = copy_of("data", tmp_path, (HERE / "data" / "flux.toml").read_text())
    (project / "migrations" / "0002_many.sql").write_text(MANY)
    client = await serve(project)
    _, made = await client.api("POST", "/keys", {"name": "x", "role": "member", "tenant": "t7"})
    key = {"x-api-key": made["key"]}

    query = {"table": "notes", "where": {"title": "note 7"}}
    code, out, err = await flux(client, "explain", "-", "--role", "member", "--tenant", "t7", stdin=json.dumps(query))
    assert code == 0, err
    assert 'CREATE INDEX CONCURRENTLY ON "public"."notes" ("tenant", "title");' in out
    assert "select notes: all columns; rows where tenant = $auth.tenant" in out
    assert "= t7  from the caller: $auth.tenant" in out
    (tmp_path / "query.json").write_text(json.dumps({**query, "operation": "delete"}))
    code, out, _ = await flux(client, "explain", str(tmp_path / "query.json"), "--role", "member", "--json")
    assert (code, json.loads(out)["writes"]) == (0, True)
    code, _, err = await flux(client, "explain", "-", "--role", "nobody", stdin=json.dumps(query))
    assert (code, "FORBIDDEN_TABLE" in err) == (3, True)

    async with client.session.get(client.server.url + "/notes?title=note 7&count=exact", headers=key) as response:
        assert (response.status, len(await response.json())) == (200, 1)
        request_id = response.headers["x-request-id"]
    code, out, err = await flux(client, "explain", "--request", request_id[:8], "--json")
    assert code == 0, err
    calls: Any = json.loads(out)["calls"]
    assert [call["call"] for call in calls] == ["db:select(notes)", "db:count(notes)"]
    assert calls[0]["explanation"]["indexes_missing"][0]["columns"] == ["tenant", "title"]
    code, out, err = await flux(client, "explain", "db:notes")
    assert (code, "db:select(notes)" in out, request_id in err) == (0, True, True)
    code, _, err = await flux(client, "explain", "db:notes", "--payload", "{}")
    assert (code, "A data route is a query and no function" in err) == (2, True), err
    code, _, err = await flux(client, "explain", "nothing")
    assert (code, "no execution of a function of that name" in err) == (4, True)

    code, out, err = await flux(client, "trace", request_id, "--json")
    assert (code, json.loads(out)["function"]) == (0, "db:notes"), err
    assert isinstance(json.loads(out)["hints"], list)


async def test_a_function_with_an_input_is_run_without_consequences(serve: Serve, connection: Connection) -> None:
    client = await serve()
    ada = json.dumps({"email": "ada@example.com"})
    status, _, _ = await client.post("/create_user", {"email": "bob@example.com"})
    assert status == 200

    for _ in range(2):
        code, out, err = await flux(client, "explain", "create_user", "--payload", ada, "--json")
        assert code == 0, err
        calls: Any = json.loads(out)["calls"]
        assert [call["call"] for call in calls] == ["db:select(users)", "db:insert(users)"]
        assert calls[0]["explanation"]["plan"]["cost"] > 0
        assert "ada@example.com" in [each["value"] for each in calls[1]["explanation"]["parameters"]]
    execution = await client.execution(json.loads(out)["request_id"])
    assert (execution["kind"], execution["status"], execution["mutations"]) == ("rehearsal", 200, [])
    code, out, _ = await flux(client, "trace", execution["request_id"])
    assert (code, "rehearsal create_user  200" in out) == (0, True), out

    code, out, err = await flux(client, "explain", "create_user", "--payload", '{"email": "bob@example.com"}')
    assert (code, "db:select(users)" in out, "db:insert(users)" in out) == (0, True, False)
    assert "the function answered 409: EMAIL_TAKEN" in err
    code, _, err = await flux(client, "explain", "hello", "--payload", '{"name": 1}')
    assert (code, "the function answered 422: VALIDATION_FAILED" in err) == (0, True), err
    code, _, err = await flux(client, "explain", "nothing", "--payload", "{}")
    assert (code, "There is no function nothing" in err) == (4, True), err

    assert [row["email"] for row in await connection.fetch("SELECT email FROM users")] == ["bob@example.com"]
    assert await connection.fetchval("SELECT count(*) FROM flux.jobs") <= 1  # bob's


async def test_a_rehearsal_needs_the_record(serve: Serve) -> None:
    client = await serve(settings={"FLUX_RECORD_MODE": "off"})
    code, out, err = await flux(client, "explain", "create_user", "--payload", "{}")
    assert (code, out, "so a rehearsal could not be looked at" in err) == (5, "", True), err

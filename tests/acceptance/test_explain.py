"""`flux explain` and the hints of `flux trace`, from a real server's record."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

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
    assert 'CREATE INDEX CONCURRENTLY "notes_tenant_title_idx" ON "public"."notes" ("tenant", "title");' in out
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
    code, _, err = await flux(client, "explain", "nothing")
    assert (code, "no execution of a function of that name" in err) == (4, True)

    code, out, err = await flux(client, "trace", request_id, "--json")
    assert (code, json.loads(out)["function"]) == (0, "db:notes"), err
    assert isinstance(json.loads(out)["hints"], list)

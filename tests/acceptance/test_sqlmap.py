"""sqlmap against data routes. Not part of an ordinary run: it takes minutes, and sqlmap is no dependency.

python -m venv /tmp/sqlmap && /tmp/sqlmap/bin/pip install sqlmap
FLUX_SQLMAP=/tmp/sqlmap/bin/sqlmap pytest tests/acceptance/test_sqlmap.py
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.fixtures.server import Serve

from .projects import HERE, copy_of

SQLMAP = os.environ.get("FLUX_SQLMAP")
WHOLE_RUN_S = 1200.0

pytestmark = [
    pytest.mark.skipif(SQLMAP is None, reason="FLUX_SQLMAP names no sqlmap"),
    pytest.mark.timeout(WHOLE_RUN_S),
]

# (URL, further arguments). A "*" is where sqlmap injects; without one it tries every parameter.
TARGETS = (
    ("/notes?title=first&stars=gte.1&limit=2&order_by=id&select=id,title", ()),
    ("/notes?settings->>theme=dark*&done=true", ()),
    ("/notes?where={%22title%22:%22first*%22}", ()),
    ("/notes?order_by=title*", ()),
    ("/notes?title*=first", ()),
    ("/notes/1*", ()),
    ("/seats/hall=A*,seat=1", ()),
    ("/notes", ("--method=POST", '--data={"tenant": "a", "title": "x*", "tags": ["y*"]}')),
    ("/notes/1", ("--method=PATCH", '--data={"title": "x*"}')),
    ("/notes/query", ("--method=POST", '--data={"where": {"title": {"like": "f*"}}, "limit": 2, "order_by": "id*"}')),
)


@pytest.mark.parametrize(("path", "arguments"), TARGETS)
async def test_nothing_is_injectable(serve: Serve, tmp_path: Path, path: str, arguments: tuple[str, ...]) -> None:
    project = copy_of("data", tmp_path, (HERE / "data" / "flux.toml").read_text())
    client = await serve(project)
    _, made = await client.api("POST", "/keys", {"name": "sqlmap", "role": "member", "tenant": "a"})
    assert SQLMAP is not None
    process = await asyncio.create_subprocess_exec(
        SQLMAP,
        *("-u", client.server.url + path, *arguments),
        *("--batch", "--flush-session", "--disable-coloring", "--level=3", "--risk=2", "--dbms=PostgreSQL"),
        *("--skip-heuristics", "--technique=BEUS", "--time-sec=2", "--threads=2", "--ignore-code=*"),
        *("--headers", f"x-api-key: {made['key']}\ncontent-type: application/json"),
        *("--output-dir", str(tmp_path / "sqlmap")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    told = output.decode(errors="replace")
    print(told[-1500:])
    assert "identified the following injection point" not in told, told
    assert "is vulnerable" not in told, told
    assert "not appear to be injectable" in told, told  # it came as far as trying
    status, history = await client.api("POST", "/invoke/db:open_things", {"operation": "select"})
    assert (status, len(history)) == (200, 1)

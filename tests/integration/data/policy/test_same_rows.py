"""The engine's own statements and raw SQL under row-level security see the same rows."""

from __future__ import annotations

from typing import Any

import asyncpg
import orjson
import pytest

from flux.data.compiler import compile as compiled
from flux.data.guard import Guard
from flux.data.policy.model import Caller
from flux.data.query.parser import parse
from flux.data.types.codec import set_codecs
from tests.integration.data.policy.conftest import Team

CALLERS = [
    Caller(role="member", uid="ann", tenant="acme", claims={"teams": [1], "age": 7, "tags": ["b"], "ok": True}),
    Caller(role="member", uid="bob", claims={"teams": ["1", "x"], "tags": "b", "team": {"id": "2"}}),
    Caller(role="member", claims={"teams": [], "age": "7", "team": {"id": 1}}),
]
CONDITIONS = [
    "author_id = $auth.uid or public",
    "author_id != $auth.uid",
    "author_id is distinct from $auth.uid",
    "not (author_id = $auth.uid)",
    "id = $auth.uid",
    "team_id in $auth.claims.teams",
    "team_id not in $auth.claims.teams",
    "team_id = $auth.claims.team.id",
    "team_id < $auth.claims.age",
    "public = $auth.claims.ok",
    "title = $auth.claims.age",
    "created_at > $auth.claims.age",
    "team_id is null or team_id between 1 and 1",
    "title in ('ann red', 'it''s', '\\', '$1')",
    "title like 'b%' and not title ilike '%OPEN'",
    "exists(author where tenant = $auth.tenant)",
    "exists(author where tags && $auth.claims.tags)",
    "exists(author where tags @> array['b'] and settings->>'a' is null)",
    "exists(author where settings->'n' > 3 or settings->'n' = 'x')",
    "exists(team where every(members where user_id = $auth.uid))",
    "exists(team where none(members where user_id = $auth.uid))",
    "not exists(team where exists(members where user_id = $auth.uid))",
    "exists(team where name = 'red' and exists(members where exists(user where tenant = 'acme')))",
]


@pytest.mark.parametrize("condition", CONDITIONS)
async def test_same_rows(team: Team, condition: str) -> None:
    await team.connection.execute(
        """UPDATE users SET tags = '{a,b}', settings = '{"n": 4}' WHERE id = 'bob';
        UPDATE users SET settings = '{"n": "x", "a": null}' WHERE id = 'cid'"""
    )
    related: dict[str, Any] = {
        "users": {"member": {"select": {"where": "id != 'cid'"}}},
        "members": {"member": {"select": {"where": "team_id = 1"}}},
    }
    await team.set(posts={"member": {"select": {"where": condition}}}, **related)
    await set_codecs(team.connection)
    for caller in CALLERS:
        raw = await team.column(caller, "SELECT title FROM posts")
        assert await _by_engine(team, caller) == raw, caller


async def _by_engine(team: Team, caller: Caller) -> list[str]:
    query, values = parse({"table": "posts", "columns": ["title"]})
    plan = compiled(query, team.schema, team.policies, caller.role, guard=Guard())
    records: list[asyncpg.Record] = await team.connection.fetch(plan.text, *plan.parameters(values, caller, None))
    rows = orjson.loads(plan.answer([record[0].encode() for record in records]))
    return sorted(row["title"] for row in rows)

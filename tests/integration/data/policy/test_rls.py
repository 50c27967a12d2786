"""Raw SQL sees and changes what the policies grant, and nothing else."""

from __future__ import annotations

from pathlib import PurePath

import asyncpg
import pytest

from flux.data.policy.model import Caller
from flux.store.migrate import Migration, apply_project
from tests.integration.data.policy.conftest import Team

ANN = Caller(role="member", uid="ann", tenant="acme", claims={"teams": [1], "since": "2026-01-01"})
BOB = Caller(role="member", uid="bob", tenant="acme")
ADMIN = Caller(role="admin", uid="root")
NOBODY = Caller()

USERS = {
    "masked": ["password_hash"],
    "admin": {"preset": "full"},
    "member": {
        "select": {"columns": {"except": ["password_hash"]}, "where": "tenant = $auth.tenant"},
        "update": {"columns": ["email"], "where": "id = $auth.uid", "check": "email like '%@x'"},
    },
    "*": {"select": {"columns": ["id"], "where": "false"}},
}
POSTS = {
    "admin": {"preset": "full"},
    "member": {
        "select": {
            "where": "public or author_id = $auth.uid or exists(team where exists(members where user_id = $auth.uid))"
        },
        "insert": {"check": "author_id = $auth.uid"},
        "delete": {"where": "author_id = $auth.uid"},
    },
    "*": {"select": {"columns": ["title"], "where": "public"}},
}


async def test_rows_and_columns(team: Team) -> None:
    await team.set(users=USERS, posts=POSTS)
    assert await team.column(ANN, "SELECT id FROM users") == ["ann", "bob"]
    assert await team.column(ADMIN, "SELECT password_hash FROM users") == ["secret"] * 3
    assert await team.column(NOBODY, "SELECT id FROM users") == []
    assert await team.column(ANN, "SELECT title FROM posts") == ["ann red", "bob open"]
    assert await team.column(BOB, "SELECT title FROM posts") == ["ann red", "bob open", "bob own"]
    assert await team.column(NOBODY, "SELECT title FROM posts") == ["bob open"]
    assert await team.column(NOBODY, "SELECT count(*) FROM posts") == [1]
    for caller, query in (
        (ANN, "SELECT * FROM users"),
        (ANN, "SELECT id FROM users WHERE password_hash = 'secret'"),
        (ANN, "SELECT id FROM users ORDER BY password_hash"),
        (ANN, "SELECT max(password_hash) FROM users"),
        (ANN, "SELECT users FROM users"),
        (ANN, "SELECT to_jsonb(users) FROM users"),
        (ANN, "DELETE FROM users"),
        (ANN, "UPDATE users SET tenant = 'x'"),
        (ANN, "TRUNCATE posts"),
        (NOBODY, "SELECT id FROM posts"),
        (NOBODY, "DELETE FROM posts"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await team.column(caller, query)


async def test_writes(team: Team) -> None:
    await team.set(users=USERS, posts=POSTS)
    async with team.raw(ANN) as raw:
        assert await raw.execute("UPDATE users SET email = 'new@x'") == "UPDATE 1"
        assert await raw.execute("INSERT INTO posts (author_id, title) VALUES ('ann', 'mine')") == "INSERT 0 1"
        assert await raw.execute("DELETE FROM posts WHERE title = 'bob open'") == "DELETE 0"
        assert await raw.execute("DELETE FROM posts WHERE title = 'mine'") == "DELETE 1"
    for query in (
        "UPDATE users SET email = 'new@y'",
        "INSERT INTO posts (author_id, title) VALUES ('bob', 'not mine')",
        "WITH x AS (INSERT INTO posts (author_id, title) VALUES ('bob', 'x') RETURNING 1) SELECT * FROM x",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await team.column(ANN, query)


async def test_tables_without_a_policy_are_open(team: Team) -> None:
    await team.set(users=USERS)
    async with team.raw(NOBODY) as raw:
        assert await raw.fetchval("INSERT INTO notes (body) VALUES ('x') RETURNING id") == 1
        assert await raw.execute("UPDATE notes SET body = 'y'") == "UPDATE 1"
        assert await raw.execute("DELETE FROM notes") == "DELETE 1"


async def test_facts_of_other_types(team: Team) -> None:
    await team.set(
        teams={"member": {"select": {"where": "id in $auth.claims.teams"}}},
        posts={"member": {"select": {"where": "id = $auth.uid or created_at > $auth.claims.since"}}},
        users={"member": {"select": {"where": "tags && $auth.claims.tags or settings->>'owner' = $auth.claims.o.sub"}}},
        members={"member": {"select": {"where": "team_id = $auth.claims.team"}}},
    )
    await team.connection.execute("UPDATE users SET tags = '{a,b}' WHERE id = 'bob'")
    await team.connection.execute("""UPDATE users SET settings = '{"owner": "me"}' WHERE id = 'cid'""")
    assert await team.column(ANN, "SELECT id FROM teams") == [1]
    assert await team.column(BOB, "SELECT id FROM teams") == []  # no such claim
    assert len(await team.column(ANN, "SELECT id FROM posts")) == 4  # 'ann' is no UUID: that part is NULL
    tagged = Caller(role="member", claims={"tags": ["b"], "o": {"sub": "me"}, "team": "2"})
    assert await team.column(tagged, "SELECT id FROM users") == ["bob", "cid"]
    assert await team.column(tagged, "SELECT user_id FROM members") == ["cid"]
    odd = Caller(role="member", claims={"tags": "b", "teams": ["x"], "team": {"a": 1}, "since": "soon"})
    for table in ("users", "teams", "members", "posts"):
        assert await team.column(odd, f"SELECT id::text FROM {table}") == []


CONDITIONS = [
    ("tenant in ('acme', 'none')", ["ann", "bob"]),
    ("tenant not in ('acme')", ["cid"]),
    ("not (tenant = 'acme')", ["cid"]),
    ("email between 'ann@x' and 'b'", ["ann"]),
    ("email ilike 'ANN%' or email like 'c___x'", ["ann", "cid"]),
    ("tenant is not null and tenant is distinct from 'acme'", ["cid"]),
    ("email = 'it''s \\ \"quoted\" $1; --'", []),
    ("settings->'a'->0->>'b' is null", ["ann", "bob", "cid"]),
    ("settings @> array['x'] or settings = 3", []),
    ("tags <@ array[] and tags = array[]", ["ann", "bob", "cid"]),
    ("tags @> array['it''s', 'a,b']", []),
    ("email = id", []),
    ("exists(posts where public)", ["bob"]),
    ("not exists(posts where not public)", []),
    ("every(posts where title like 'bob%')", ["bob"]),
    ("none(posts where title like 'bob%')", ["ann", "cid"]),
    ("exists(posts where created_at > '2026-01-01T00:00:00+02:00' and id != '00000000-0000-0000-0000-000000000000')",
     ["ann", "bob", "cid"]),
    ("true", ["ann", "bob", "cid"]),
    ("false", []),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "seen"), CONDITIONS)
async def test_conditions(team: Team, condition: str, seen: list[str]) -> None:
    await team.set(users={"member": {"select": {"where": condition}}})
    assert await team.column(ANN, "SELECT id FROM users") == seen


async def test_a_related_row_counts_only_if_the_role_may_read_it(team: Team) -> None:
    users = {"member": {"select": {"where": "exists(posts)"}}, "admin": {"select": {"where": "exists(posts)"}}}
    await team.set(users=users, posts={"member": {"select": {"where": "public"}}})
    assert await team.column(ANN, "SELECT id FROM users") == ["bob"]
    assert await team.column(ADMIN, "SELECT id FROM users") == []


async def test_a_condition_over_a_column_that_raw_sql_may_not_read_denies(team: Team) -> None:
    users = {"member": {"select": {"where": "exists(posts where title = 'bob own')"}}}
    made = await team.set(users=users, posts={"member": {"select": {"columns": ["id", "author_id"]}}})
    assert any("posts.title" in warning for warning in made.warnings)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await team.column(ANN, "SELECT id FROM users")


async def test_roles_of_the_star_are_those_that_no_policy_names(team: Team) -> None:
    await team.set(posts={"member": {"select": {"where": "false"}}, "*": {"select": True}})
    assert await team.column(ANN, "SELECT title FROM posts") == []
    assert len(await team.column(NOBODY, "SELECT title FROM posts")) == 4
    assert len(await team.column(Caller(role="made up"), "SELECT title FROM posts")) == 4


async def test_columns_that_policies_name_can_be_migrated(team: Team) -> None:
    await team.set(users=USERS, posts=POSTS)
    migrations = [
        Migration(number=1, name="0001_type.sql", sql="ALTER TABLE users ALTER tenant TYPE varchar(80)"),
        Migration(number=2, name="0002_drop.sql", sql="ALTER TABLE posts DROP COLUMN public"),
    ]
    await apply_project(team.connection, migrations, PurePath("migrations"))
    assert await team.column(ADMIN, "SELECT id FROM users") == []  # until the next look at the tables
    await team.set(users=USERS, posts={**POSTS, "member": {"select": {"where": "author_id = $auth.uid"}}, "*": {}})
    assert await team.column(ANN, "SELECT id FROM users") == ["ann", "bob"]
    assert await team.column(ANN, "SELECT title FROM posts") == ["ann red"]

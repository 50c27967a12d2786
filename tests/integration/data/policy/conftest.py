"""A database with tables, policies, and raw connections that Postgres itself keeps to them.

team        tables users, teams, members, posts, on the connection that owns them
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from flux.data.policy.model import Caller, Policies
from flux.data.policy.rls.names import login_name
from flux.data.policy.rls.token import ENTER, token
from flux.data.schema.introspect import read_schema
from flux.data.schema.model import Schema
from flux.store import policies as store
from flux.store.pool import Connection
from flux.store.protection import Protection, apply
from flux.store.raw_login import let_make_roles
from tests.fixtures.postgres import Server

TABLES = """
CREATE TABLE users (
    id text PRIMARY KEY, email text NOT NULL, password_hash text NOT NULL DEFAULT 'secret', tenant text,
    settings jsonb NOT NULL DEFAULT '{}', tags text[] NOT NULL DEFAULT '{}'
);
CREATE TABLE teams (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE members (
    id serial PRIMARY KEY, user_id text NOT NULL REFERENCES users (id), team_id int NOT NULL REFERENCES teams (id)
);
CREATE TABLE posts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), author_id text NOT NULL REFERENCES users (id), title text NOT NULL,
    team_id int REFERENCES teams (id), public boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE notes (id serial PRIMARY KEY, body text);
INSERT INTO users (id, email, tenant) VALUES
    ('ann', 'ann@x', 'acme'), ('bob', 'bob@x', 'acme'), ('cid', 'cid@x', 'other');
INSERT INTO teams VALUES (1, 'red'), (2, 'blue');
INSERT INTO members (user_id, team_id) VALUES ('ann', 1), ('bob', 1), ('cid', 2);
INSERT INTO posts (author_id, title, team_id, public) VALUES
    ('ann', 'ann red', 1, false), ('bob', 'bob open', NULL, true), ('bob', 'bob own', NULL, false),
    ('cid', 'cid blue', 2, false);
"""


@dataclass(kw_only=True)
class Team:
    """`connection` owns the tables; `set` makes these the policies, in flux and in Postgres."""

    server: Server
    url: str
    connection: Connection
    schema: Schema
    policies: Policies = field(default_factory=Policies)
    protection: Protection = field(default_factory=lambda: Protection(login=None))
    roles: list[str] = field(default_factory=list)

    async def make_role(self, name: str) -> str:
        """A role that may log in; gone at the end of the test."""
        self.roles.append(f"{name}_{self.server.running.pid}")
        await self.connection.execute(f"CREATE ROLE {self.roles[-1]} LOGIN")
        return self.roles[-1]

    async def set(
        self, sql_url: str | None = None, keep: Sequence[str] = (), **documents: Mapping[str, Any]
    ) -> Protection:
        """`keep`: tables whose policy stays as it is; those of others that are not named are removed."""
        self.schema = await read_schema(self.connection)
        async with self.connection.transaction():
            for table in await store.active(self.connection):
                if table not in {*documents, *keep}:
                    await store.remove(self.connection, table, self.schema)
            self.policies = (await store.load(self.connection, self.schema)).policies
            for table, document in documents.items():
                _, self.policies = await store.save(self.connection, table, document, self.schema, source="api")
            self.protection = await apply(self.connection, self.schema, self.policies, sql_url=sql_url)
        return self.protection

    @asynccontextmanager
    async def connected(
        self, url: str | None = None, *, own: bool = False
    ) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """As the login for raw SQL; `own`: as the user in the URL."""
        url = url or self.url
        connection = await asyncpg.connect(url if own else self.protection.url(url))
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def raw(
        self, caller: Caller, *, on: asyncpg.Connection[asyncpg.Record] | None = None
    ) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A raw transaction of this caller, rolled back at the end."""
        if on is None:
            async with self.connected() as connection, self.raw(caller, on=connection):
                yield connection
            return
        await self.enter(caller, on)
        try:
            yield on
        finally:
            await on.execute("ROLLBACK")

    async def enter(self, caller: Caller, connection: asyncpg.Connection[asyncpg.Record], **changes: Any) -> None:
        """Begins a raw transaction; `changes` are of what the token is made of."""
        facts = {"pid": connection.get_server_pid(), "key": self.protection.key, "now": time.time(), **changes}
        await connection.execute("BEGIN")
        await connection.execute(ENTER, self.protection.principal(caller.role, self.policies), token(caller, **facts))

    async def column(self, caller: Caller, query: str, *arguments: Any) -> Sequence[Any]:
        """The first column of what the caller's raw SQL answers, sorted."""
        async with self.raw(caller) as connection:
            return sorted(row[0] for row in await connection.fetch(query, *arguments))


def postgres_database(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


@pytest.fixture
async def team(postgres: Server, database_url: str, connection: Connection) -> AsyncIterator[Team]:
    superuser = await asyncpg.connect(postgres.url("postgres", user="postgres"))
    await let_make_roles(superuser, "flux")
    await connection.execute(TABLES)
    made = Team(server=postgres, url=database_url, connection=connection, schema=await read_schema(connection))
    yield made
    await connection.close()
    # The roles are the cluster's; what they were granted in this database goes first.
    inside = await asyncpg.connect(database_url.replace("//flux@", "//postgres@"))
    prefix = login_name(postgres_database(database_url))
    query = "SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, $1) OR rolname = ANY ($2::text[])"
    for row in await inside.fetch(query, prefix, made.roles):
        await inside.execute(f'DROP OWNED BY "{row[0]}"; DROP ROLE "{row[0]}"')
    await inside.close()
    await superuser.close()

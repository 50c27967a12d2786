"""Runs the text of a project's migration: whatever a team may write there, and what Flux has to do around it."""

from __future__ import annotations

import re

import asyncpg

from flux.store.pool import Connection
from flux.store.statements import statements

# What a migration has SET stays with it: dumps begin with an empty search path, and the session that tables are looked
# after on would find none any more, nor record their changes. The same holds for roles and temporary tables.
TIDY = "RESET ALL; RESET SESSION AUTHORIZATION; RESET ROLE; DISCARD TEMP; SET LOCAL statement_timeout = 0"

# A column that Flux' own row-level policies name can neither change its type nor go. They are made anew by the next
# look at the tables (flux.store.protection); until then these are closed to raw SQL.
LIFT = """
SET LOCAL lock_timeout = '5s';
DO $$
DECLARE
    made record;
BEGIN
    FOR made IN SELECT polname, polrelid::regclass AS relation FROM pg_policy WHERE starts_with(polname::text, 'flux_')
    LOOP
        EXECUTE format('DROP POLICY %I ON %s', made.polname, made.relation);
    END LOOP;
END $$;
"""


async def execute(conn: Connection, sql: str) -> None:
    """Within the caller's transaction, which goes on when this fails. Raises asyncpg.PostgresError."""
    if not any(statements(sql)):
        return  # asyncpg fails at what Postgres has nothing to say to
    try:
        await _execute(conn, sql)
    except (asyncpg.FeatureNotSupportedError, asyncpg.DependentObjectsStillExistError) as error:
        if not re.search(r'policy "?flux_', str(error.detail)):
            raise
        await _execute(conn, LIFT, sql)


async def _execute(conn: Connection, *texts: str) -> None:
    async with conn.transaction():
        for text in (*texts, TIDY):
            await conn.execute(text)

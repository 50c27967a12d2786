from __future__ import annotations

import asyncpg
import pytest

from flux.store.pool import Pool, mark_dirty, open_pool


async def test_clean_release_keeps_the_session_dirty_release_resets_it(database_url: str) -> None:
    async with await open_pool(database_url, 1, statement_timeout_ms=5000) as pool:
        async with pool.acquire() as conn:
            await conn.execute("SET work_mem = '7MB'; SET statement_timeout = 1")
            mark_dirty(conn)
        async with pool.acquire() as conn:
            assert await conn.fetchval("SHOW work_mem") != "7MB"
            assert await conn.fetchval("SHOW statement_timeout") == "5s"
            # Nobody marked this one: nothing is sent on release, so the setting is still there. That is the contract.
            await conn.execute("SET work_mem = '7MB'")
        async with pool.acquire() as conn:
            assert await conn.fetchval("SHOW work_mem") == "7MB"


async def test_open_transaction_is_rolled_back_on_release(database_url: str) -> None:
    async with await open_pool(database_url, 1, statement_timeout_ms=5000) as pool:
        async with pool.acquire() as conn:
            await conn.execute("BEGIN; CREATE TABLE unfinished ()")
        async with pool.acquire() as conn:
            assert await conn.fetchval("SELECT to_regclass('unfinished')") is None


async def test_statement_timeout(database_url: str) -> None:
    async with await open_pool(database_url, 1, statement_timeout_ms=20) as pool, pool.acquire() as conn:
        with pytest.raises(asyncpg.QueryCanceledError):
            await conn.execute("SELECT pg_sleep(10)")
        assert await conn.fetchval("SELECT 1") == 1


async def test_says_who_it_is(pool: Pool) -> None:
    async with pool.acquire() as conn:
        assert await conn.fetchval("SHOW application_name") == "flux"


async def test_wrong_url_fails_at_once(database_url: str) -> None:
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await open_pool(database_url.replace("@/test", "@/no_test"), 1, statement_timeout_ms=0)

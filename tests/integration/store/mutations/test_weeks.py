from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import asyncpg

from flux.store.mutations import weeks
from flux.store.pool import Connection

from .conftest import ask

TODAY = datetime.now(UTC).date()
THIS_WEEK = weeks.monday(TODAY)


async def put_back(conn: Connection, days: int) -> None:
    """Makes everything in the record that much older."""
    await conn.execute("CREATE TEMP TABLE t AS SELECT * FROM flux.mutations; DELETE FROM flux.mutations")
    await conn.execute(
        f"UPDATE t SET at = at - interval '{days} days'; INSERT INTO flux.mutations SELECT * FROM t; DROP TABLE t"
    )


async def rest(conn: Connection) -> int:
    return int(await conn.fetchval("SELECT count(*) FROM flux.mutations_rest"))


async def test_made_ahead_and_once(connection: Connection) -> None:
    assert await weeks.ensure_weeks(connection, TODAY) == [THIS_WEEK, THIS_WEEK + weeks.WEEK]
    assert await weeks.ensure_weeks(connection, TODAY) == []
    assert weeks.monday(date(2026, 11, 22)) == date(2026, 11, 16)


async def test_what_came_without_a_partition_is_moved(changing: Connection) -> None:
    await changing.execute("INSERT INTO users (email) VALUES ('old')")
    await put_back(changing, 30)
    await changing.execute("INSERT INTO users (email) VALUES ('new')")
    assert await rest(changing) == 2
    made = await weeks.ensure_weeks(changing, TODAY)
    assert weeks.monday(TODAY - timedelta(days=30)) in made
    assert await rest(changing) == 0
    assert await changing.fetchval("SELECT count(*) FROM flux.mutations") == 2


async def test_writers_without_a_partition_are_not_disturbed(changing: Connection, database_url: str) -> None:
    writer = await asyncpg.connect(database_url)
    try:
        async with writer.transaction():
            await writer.execute("INSERT INTO users (email) VALUES ('a')")
            assert await weeks.ensure_weeks(changing, TODAY) == []
    finally:
        await writer.close()
    assert len(await weeks.ensure_weeks(changing, TODAY)) == 2


async def test_expired_weeks_go_and_versions_stay(changing: Connection) -> None:
    await changing.execute("INSERT INTO users (email) VALUES ('a'), ('deleted'); UPDATE users SET email = email || '2'")
    await changing.execute("DELETE FROM users WHERE id = 2")
    await put_back(changing, 100)
    await changing.execute("UPDATE users SET email = 'a3'")
    await put_back(changing, 100)
    await changing.execute("UPDATE users SET email = 'a4'")
    await weeks.ensure_weeks(changing, TODAY)
    assert await weeks.drop_expired(changing, today=TODAY, retention_days=365) == []
    for retention, versions in ((150, [4, 3]), (50, [4])):
        did = await weeks.drop_expired(changing, today=TODAY, retention_days=retention)
        assert [what.split()[0] for what in did] == ["dropped"]
        history = await ask(changing, "history", "users", id="1")
        assert [each["version"] for each in history["items"]] == versions
    assert await changing.fetchval("SELECT count(*) FROM flux.dropped_versions") == 1


async def test_a_week_in_use_is_left(changing: Connection, database_url: str) -> None:
    await changing.execute("INSERT INTO users (email) VALUES ('a')")
    await put_back(changing, 100)
    await weeks.ensure_weeks(changing, TODAY)
    reader = await asyncpg.connect(database_url)
    try:
        async with reader.transaction():
            await reader.fetch("SELECT count(*) FROM flux.mutations")
            (did,) = await weeks.drop_expired(changing, today=TODAY, retention_days=50)
            assert "in use" in did
        assert await changing.fetchval("SELECT count(*) FROM flux.dropped_versions") == 0
    finally:
        await reader.close()
    assert len(await weeks.drop_expired(changing, today=TODAY, retention_days=50)) == 1

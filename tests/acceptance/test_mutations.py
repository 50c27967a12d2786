"""A mutation exists for every committed change and only for those, whoever is killed, and whenever.

Checked from the mutations alone: played one after the other, each must find the row as the one before has left it, and
in the end they must give exactly the rows that are there.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from flux.store import embedded
from tests.fixtures.server import Client, Serve, project_of

from .load import Told, load

TABLES = """
CREATE TABLE accounts (id integer PRIMARY KEY, balance bigint NOT NULL, changes integer NOT NULL DEFAULT 0);
CREATE TABLE entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount integer NOT NULL, note text UNIQUE,
    account_id integer NOT NULL REFERENCES accounts ON DELETE CASCADE
);
CREATE TABLE tags (entry_id bigint REFERENCES entries ON DELETE CASCADE, tag text, PRIMARY KEY (entry_id, tag));
-- What the team's own triggers change is recorded, too.
CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE accounts SET changes = changes + 1 WHERE id = NEW.account_id;
    RETURN NULL;
END $$;
CREATE TRIGGER counted AFTER INSERT ON entries FOR EACH ROW EXECUTE FUNCTION counted();
"""

# Everything that writes: single statements, transactions, those that fail halfway, cascades.
CHANGE = """
export default async (input: any, ctx: any) => {
  const { n, account } = input;
  const other = (account + 1) % 20;
  switch (n % 7) {
    case 0:
      await ctx.db.entries.insert({ account_id: account, amount: n, note: `single ${n}` });
      return { changes: 2 };
    case 1:
      await ctx.db.entries.insertMany([{ account_id: account, amount: n }, { account_id: other, amount: -n }]);
      return { changes: 4 };
    case 2:
      await ctx.db.transaction(async (tx: any) => {
        const entry = await tx.entries.insert({ account_id: account, amount: n, note: `in a transaction ${n}` });
        await tx.tags.insertMany([{ entry_id: entry.id, tag: "a" }, { entry_id: entry.id, tag: "b" }]);
        await tx.accounts.update({ id: account }, { balance: n });
      });
      return { changes: 5 };
    case 3:
      await ctx.db.transaction(async (tx: any) => {
        const entry = await tx.entries.insert({ account_id: account, amount: n, note: `taken back ${n}` });
        await tx.tags.insert({ entry_id: entry.id, tag: "gone" });
        throw ctx.error(409, "TAKEN_BACK", "rolled back on purpose");
      });
    case 4:
      await ctx.db.entries.insertMany([{ account_id: account, amount: 1, note: `twice ${n}` },
        { account_id: account, amount: 2, note: `twice ${n}` }]);
      return { changes: 0 };
    case 5: {
      const found = await ctx.db.entries.findOne({ account_id: account }, { order_by: "id" });
      if (found) await ctx.db.entries.delete({ id: found.id });
      return {};
    }
    default:
      await ctx.db.accounts.upsert({ id: account, balance: -n }, { on_conflict: ["id"] });
      return { changes: 1 };
  }
};
"""
ACCOUNTS = 20
# How callers are told that nothing was done, on purpose.
REFUSED = 409
KILLS = 25


class OwnPostgres:
    """A PostgreSQL of this test alone, whose processes may be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running = embedded.start(folder)

    async def restart(self) -> None:
        await asyncio.to_thread(self.running.stop)
        self.running = await asyncio.to_thread(embedded.start, self.folder)


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[OwnPostgres]:
    server = await asyncio.to_thread(OwnPostgres, tmp_path / "own")
    yield server
    await asyncio.to_thread(server.running.stop)


@pytest.fixture
async def client(serve: Serve, own_postgres: OwnPostgres, tmp_path: Path) -> AsyncIterator[Client]:
    connection = await asyncpg.connect(own_postgres.running.url)
    try:
        await connection.execute(TABLES)
    finally:
        await connection.close()
    with project_of(tmp_path / "project", {"change.ts": CHANGE}) as project:
        client = await serve(project, workers=2, database=own_postgres.running.url)
        connection = await asyncpg.connect(own_postgres.running.url)
        try:
            managed = await connection.fetchval("SELECT count(*) FROM flux.managed_tables WHERE problem IS NULL")
            assert managed == 3
            await connection.execute("INSERT INTO accounts SELECT n, 0 FROM generate_series(0, $1 - 1) AS n", ACCOUNTS)
        finally:
            await connection.close()
        yield client


def body(number: int) -> dict[str, int]:
    return {"n": number, "account": number * 7 % ACCOUNTS}


async def settled(url: str) -> asyncpg.Connection[asyncpg.Record]:
    """A connection once nobody else writes any more."""
    connection = await asyncpg.connect(url)
    while await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    ):
        await asyncio.sleep(0.05)
    return connection


async def require_agreement(url: str, told: Told) -> Counter[str]:
    """Rows and mutations agree exactly. How many mutations each request has."""
    connection = await settled(url)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            mutations = await connection.fetch(
                "SELECT m.id, m.operation, m.key, m.old, m.new, m.changed, m.request_id::text AS request_id, t.name"
                " FROM flux.mutations m JOIN flux.managed_tables t ON t.id = m.table_id ORDER BY m.id"
            )
            rows: dict[tuple[str, str], Any] = {}
            for table, key in (("accounts", "id"), ("entries", "id"), ("tags", "entry_id, tag")):
                for row in await connection.fetch(
                    f"SELECT json_build_array({key})::text AS key, row_to_json(t) AS row FROM {table} AS t"
                ):
                    rows[table, _key(row["key"])] = orjson.loads(row["row"])
            done = await connection.fetch(
                "SELECT request_id::text AS request_id, output::text AS output FROM flux.executions"
                " WHERE status = 200 AND function = 'change'"
            )
    finally:
        await connection.close()
    played: dict[tuple[str, str], Any] = {}
    counted: Counter[str] = Counter()
    for mutation in mutations:
        place = (mutation["name"], _key(mutation["key"]))
        old, new = _row(mutation["old"]), _row(mutation["new"])
        assert played.get(place) == old, (dict(mutation), played.get(place))
        assert (old is None, new is None) == {
            "insert": (True, False),
            "update": (False, False),
            "delete": (False, True),
        }[mutation["operation"]]
        if mutation["operation"] == "update":
            assert sorted(mutation["changed"]) == sorted(name for name in new if new[name] != old[name])
        played[place] = new
        if mutation["request_id"]:
            counted[mutation["request_id"]] += 1
    assert {place: row for place, row in played.items() if row is not None} == rows
    require_told(told, {row["request_id"]: orjson.loads(row["output"]).get("changes") for row in done}, counted)
    return counted


def _row(text: str | None) -> Any:
    return orjson.loads(text) if text else None


def _key(text: str) -> str:
    return orjson.dumps(orjson.loads(text)).decode()


def require_told(told: Told, changes: dict[str, int | None], counted: Counter[str]) -> None:
    """Whoever was answered has all the mutations that he asked for, and whoever was refused has none.

    `changes`: how many, as the function has answered; None where it does not know.
    """
    for request_id in told.by_status.get(200, ()):
        wanted = changes[request_id]
        assert wanted is None or counted[request_id] == wanted, f"{request_id}: {counted[request_id]}, not {wanted}"
    for request_id in told.by_status.get(REFUSED, ()):
        assert counted[request_id] == 0, f"{request_id} was refused and has mutations"


def one_of(pids: list[int], chance: random.Random) -> int | None:
    return chance.choice(pids) if pids else None


async def backends(url: str) -> list[int]:
    """Those of Flux."""
    try:
        connection = await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError):
        return []
    try:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'flux%' AND backend_type = 'client backend'"
        )
    finally:
        await connection.close()
    return [row["pid"] for row in rows]


async def test_rows_and_mutations_agree_without_kills(client: Client, own_postgres: OwnPostgres) -> None:
    """The check itself: it sees all kinds of changes, and what each request of them has done."""
    async with load(client, "/change", body) as told:
        await told.more(300)
    assert await client.server.stop() == 0
    counted = await require_agreement(own_postgres.running.url, told)
    assert set(told.by_status) == {200, REFUSED}
    assert {1, 2, 4, 5} <= set(counted.values())


async def test_killed_workers_and_masters(client: Client, own_postgres: OwnPostgres) -> None:
    chance = random.Random(KILLS)
    everything = Told()
    for _ in range(3):
        async with load(client, "/change", body_from(chance)) as told:
            for _ in range(KILLS):
                await told.more(chance.randint(1, 40))
                pid = one_of(client.server.worker_pids(), chance)
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
            await told.more(20)
            client.server.kill()
            await client.server.wait()
        for status, ids in told.by_status.items():
            everything.by_status.setdefault(status, []).extend(ids)
        await client.server.start()
    assert await client.server.stop() == 0
    counted = await require_agreement(own_postgres.running.url, everything)
    assert counted


async def test_killed_backends_and_restarts_of_postgres(client: Client, own_postgres: OwnPostgres) -> None:
    chance = random.Random(KILLS)
    url = own_postgres.running.url
    async with load(client, "/change", body) as told:
        for kill in range(8):
            await told.more(chance.randint(20, 120))
            if kill % 4 == 3:
                await own_postgres.restart()
            elif pid := one_of(await backends(url), chance):
                # Postgres takes this for a crash: it ends all sessions, and recovers from its log.
                os.kill(pid, signal.SIGKILL)
        await told.more(50)
    assert await client.server.stop() == 0
    counted = await require_agreement(own_postgres.running.url, told)
    assert counted


def body_from(chance: random.Random) -> Any:
    """Numbers that an earlier load has not used."""
    start = chance.randint(0, 10**8) * 7
    return lambda number: body(start + number)

"""The engine on a real Postgres gives what the reference evaluator says: same rows, same error, never a fault; and the
mutations of its writes give back the rows.
"""

from __future__ import annotations

import itertools
from collections import Counter
from random import Random

import asyncpg
from hypothesis import given
from hypothesis import strategies as st

from flux.store.pool import Connection
from flux.store.wire.session import connect
from tests.fixtures.data import played
from tests.fixtures.data.campaign import Campaign
from tests.fixtures.data.hunting import hunt
from tests.fixtures.data.lines import prepare

QUERIES = 25  # of one random database; making it costs as much as these
SEEDS = st.integers(0, 2**63)

_numbers = itertools.count()


@hunt(usual=40)
@given(seed=SEEDS)
async def test_random_queries_under_random_policies(connection: Connection, database_url: str, seed: int) -> None:
    await prepare(connection)
    session = await connect(database_url, settings={})
    try:
        await Campaign(connection, session).run(Random(seed), f"s{next(_numbers)}", queries=QUERIES)
    finally:
        await session.close()


async def test_the_hunt_meets_everything_it_is_for(connection: Connection) -> None:
    """All operations succeed now and then, and are refused for each of the reasons."""
    await prepare(connection)
    seen: Counter[str] = Counter()
    for seed in range(12):
        campaign = Campaign(connection)
        await campaign.run(Random(seed), f"m{seed}", queries=QUERIES)
        seen += campaign.seen
    wanted = {"Select", "Count", "Aggregate", "insert", "upsert", "update", "delete"}
    wanted |= {"FORBIDDEN_TABLE", "FORBIDDEN_COLUMN", "FORBIDDEN_ROW", "UNIQUE_VIOLATION"}
    assert wanted <= set(seen), wanted - set(seen)


@hunt(usual=5)
@given(seed=SEEDS)
async def test_mutations_of_random_writes_give_back_the_rows(database_url: str, seed: int) -> None:
    # A session of its own: one keeps what it knew of tables and functions that are gone, and gets slower with each.
    connection = await asyncpg.connect(database_url)
    try:
        await prepare(connection)
        await played.run(connection, Random(seed), f"p{next(_numbers)}", queries=QUERIES)
    finally:
        await connection.close()

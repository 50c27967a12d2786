"""Random policies: raw SQL reads and touches what the reference evaluator says, and nothing else."""

from __future__ import annotations

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from flux.data.schema.introspect import read_schema
from flux.store.protection import apply
from tests.fixtures.data import database, generate, policies, raw
from tests.fixtures.data.hunting import hunt
from tests.fixtures.data.lines import Binary
from tests.fixtures.data.world import World
from tests.integration.data.policy.conftest import Team

CALLERS = 6

_numbers = itertools.count()


@hunt(usual=6)
@given(seed=st.integers(0, 2**63))
async def test_raw_sql_under_random_policies(team: Team, seed: int) -> None:
    random = Random(seed)
    made = generate.blueprint(random)
    rows = generate.rows(random, made)
    schema, line = f"r{next(_numbers)}", Binary(team.connection)
    async with team.connection.transaction():
        await database.make(line, made, schema)
        await database.fill(line, made, rows)
    await line.execute(f"SET search_path TO {schema}")
    try:
        team.schema = await read_schema(team.connection)
        team.policies = policies.policies(random, made)
        team.protection = await apply(team.connection, team.schema, team.policies)
        async with team.connected() as connection:
            for _ in range(CALLERS):
                world = World(made, rows, team.policies, policies.caller(random))
                await raw.compare(random, world, schema, lambda caller: team.raw(caller, on=connection))
    finally:
        await line.execute(f"RESET search_path; DROP SCHEMA {schema} CASCADE")

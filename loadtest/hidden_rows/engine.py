"""Through the whole engine, in one process on one connection."""

from __future__ import annotations

import random
import time

import asyncpg

from flux.data.engine import Engine
from flux.data.policy.model import Caller, Grant, Policies, TablePolicy
from flux.data.query.model import Auth, Compare, Target
from flux.data.schema.introspect import read_schema

from ..database import scratch
from .telling import ABSENT, HIDDEN, TABLE, Times

CALLER = Caller(tenant="mine")
OWN = Grant(where=Compare(Target("tenant"), "eq", Auth(("tenant",))))
POLICIES = Policies(
    tables={
        "notes": TablePolicy(table="notes", grants={("*", "select"): OWN, ("*", "update"): OWN, ("*", "delete"): OWN})
    },
    version="1",
)
# Unindexed, and 1 MB each: what a pattern would take its time for.
LARGE = "ALTER TABLE notes ADD large text; UPDATE notes SET large = repeat('{} ', 100000) WHERE id IN ({}, 1)"
NOTHING = (b"null", b"[]", b"0")


def queries(key: int) -> dict[str, dict[str, object]]:
    return {
        "by primary key": {"one": True, "where": {"id": key}},
        "by unique column": {"one": True, "where": {"title": f"title {key}"}},
        "count": {"operation": "count", "where": {"id": key}},
        "update": {"operation": "update", "data": {"body": "y"}, "where": {"id": key}},
        "delete": {"operation": "delete", "where": {"id": key}},
        "pattern in 1 MB": {"one": True, "where": {"id": key, "large": {"like": "%a%b%c%"}}},
    }


async def measure(rounds: int, calls: int) -> dict[str, Times]:
    async with scratch() as (_, server):
        connection = await asyncpg.connect(await server.create("hidden_rows"))
        try:
            await connection.execute(TABLE + LARGE.format("lorem ipsum", HIDDEN))
            engine = Engine(await read_schema(connection), POLICIES)
            found = {what: Times() for what in queries(0)}
            for turn in range(rounds + 1):
                for what, times in found.items():
                    for key in random.sample([HIDDEN, ABSENT] * calls, 2 * calls):
                        took = await _timed(engine, connection, queries(key)[what])
                        if turn:  # the first warms up
                            (times.hidden if key == HIDDEN else times.absent).append(took)
        finally:
            await connection.close()
    return found


async def _timed(engine: Engine, connection: asyncpg.Connection[asyncpg.Record], document: dict[str, object]) -> float:
    """Microseconds."""
    start = time.perf_counter_ns()
    plan, values = engine.plan({"table": "notes", **document}, CALLER.role)
    rows = await connection.fetch(plan.text, *plan.parameters(values, CALLER, "{}" if plan.writes else None))
    answer = plan.answer([str(row[0]).encode() for row in rows])
    took = (time.perf_counter_ns() - start) / 1000
    if answer not in NOTHING:
        raise AssertionError("the row is not hidden")
    return took

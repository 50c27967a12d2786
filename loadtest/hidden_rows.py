"""How well the time of a query tells that a row exists which the caller may not see.

    python -m loadtest.hidden_rows [--rounds 40] [--calls 250]

Method: an embedded Postgres in a throwaway folder, a table of 1,000 rows of which the policy shows the caller half; one
process on uvloop, one connection, one call at a time through the whole engine, each timed on its own. Calls for a key
that a hidden row has, and for keys that no row has, take turns in random order. "told" is the share of pairs, one call
of each, in which the one for the hidden row took longer (0.5 = the time tells nothing), by single calls and by medians
of 100 calls. What a caller over a network sees has the noise of the network on top.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import asyncpg
import uvloop

from flux.data.engine import Engine
from flux.data.policy.model import Caller, Grant, Policies, TablePolicy
from flux.data.query.model import Auth, Compare, Target
from flux.data.schema.introspect import read_schema

from . import database

ROWS = 1000
TABLE = f"""
    CREATE TABLE notes (id integer PRIMARY KEY, tenant text NOT NULL, title text NOT NULL UNIQUE, body text NOT NULL);
    INSERT INTO notes
        SELECT n * 2, CASE WHEN n % 2 = 0 THEN 'mine' ELSE 'other' END, 'title ' || n * 2, repeat('x', 200)
        FROM generate_series(1, {ROWS}) AS n;
    ANALYZE notes;
"""  # noqa: S608  a constant
# Half of the even keys are the caller's, half are hidden; the odd ones are nobody's.
HIDDEN, ABSENT = 1002, 1003
CALLER = Caller(tenant="mine")
OWN = Grant(where=Compare(Target("tenant"), "eq", Auth(("tenant",))))
POLICIES = Policies(
    tables={
        "notes": TablePolicy(table="notes", grants={("*", "select"): OWN, ("*", "update"): OWN, ("*", "delete"): OWN})
    },
    version="1",
)
MEDIAN_OF = 100


def queries(key: int) -> dict[str, dict[str, object]]:
    return {
        "by primary key": {"one": True, "where": {"id": key}},
        "by unique column": {"one": True, "where": {"title": f"title {key}"}},
        "count": {"operation": "count", "where": {"id": key}},
        "update": {"operation": "update", "data": {"body": "y"}, "where": {"id": key}},
        "delete": {"operation": "delete", "where": {"id": key}},
    }


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    """Microseconds."""
    start = time.perf_counter_ns()
    await call()
    return (time.perf_counter_ns() - start) / 1000


async def measure(url: str, rounds: int, calls: int) -> dict[str, tuple[list[float], list[float]]]:
    """The times of calls for a hidden row, and for one that is not there, by query."""
    connection = await asyncpg.connect(url)
    await connection.execute(TABLE)
    engine = Engine(await read_schema(connection), POLICIES)

    async def ask(document: dict[str, object]) -> None:
        plan, values = engine.plan({"table": "notes", **document}, CALLER.role)
        rows = await connection.fetch(plan.text, *plan.parameters(values, CALLER, "{}" if plan.writes else None))
        if plan.answer([str(row[0]).encode() for row in rows]) not in (b"null", b"[]", b"0"):
            raise AssertionError("the row is not hidden")

    found: dict[str, tuple[list[float], list[float]]] = {what: ([], []) for what in queries(0)}
    for turn in range(rounds + 1):
        for what, times in found.items():
            documents = queries(HIDDEN)[what], queries(ABSENT)[what]
            for which in random.sample([0, 1] * calls, 2 * calls):
                took = await timed(partial(ask, documents[which]))
                if turn:  # the first warms up
                    times[which].append(took)
    await connection.close()
    return found


def told(hidden: Sequence[float], absent: Sequence[float]) -> float:
    """The share of pairs in which the hidden one is longer."""
    pairs = [(a > b) + (a == b) / 2 for a, b in zip(hidden, absent, strict=True)]
    return sum(pairs) / len(pairs)


def medians(times: Sequence[float]) -> list[float]:
    return [statistics.median(times[at : at + MEDIAN_OF]) for at in range(0, len(times) - MEDIAN_OF + 1, MEDIAN_OF)]


async def run(rounds: int, calls: int) -> None:
    async with database.scratch() as (_, server):
        found = await measure(await server.create("hidden_rows"), rounds, calls)
    for what, (hidden, absent) in found.items():
        a, b = statistics.median(hidden), statistics.median(absent)
        single, many = told(hidden, absent), told(medians(hidden), medians(absent))
        print(
            f"{what:17} hidden {a:6.1f} µs, absent {b:6.1f} µs   told {single:.2f} by one call, {many:.2f} by medians"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=250)
    given = parser.parse_args()
    uvloop.run(run(given.rounds, given.calls))


if __name__ == "__main__":
    main()

"""What a check of written rows costs where only Postgres can ask it in time (flux/data/compiler/late.py).

    python -m loadtest.late_checks [--rounds 30]

Method: an embedded Postgres in a throwaway folder; three tables with the same policy, whose check compares the tenant;
no mutations. Inserts of one row, and of 1,000 in one statement, take turns table by table on one connection; each is
timed on its own, as a transaction of its own.

    ahead    the check is told from the values
    late     a BEFORE ROW trigger of the team's may change the row, and Flux has its own behind it
    veiled   the same without Flux' trigger: the check comes after the keys
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping

import asyncpg
import uvloop

from flux.data.engine import Engine
from flux.data.policy.model import Caller, Grant, Operation, Policies, TablePolicy
from flux.data.query.model import Auth, Compare, Target
from flux.data.schema.introspect import read_schema
from flux.store import migrate, row_checks

from . import database

NAMES = ("ahead", "late", "veiled")
TABLES = "".join(f"CREATE TABLE {name} (id serial PRIMARY KEY, tenant text, code text);" for name in NAMES)
STIR = "CREATE FUNCTION stir() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;" + "".join(
    f"CREATE TRIGGER stir BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION stir();" for name in NAMES[1:]
)
CALLER = Caller(tenant="mine")
OWN = Compare(Target("tenant"), "eq", Auth(("tenant",)))
MANY = 1000
SINGLES = 20  # of one row, for each statement of many


def policies() -> Policies:
    grants: dict[tuple[str, Operation], Grant] = {("*", "select"): Grant(where=OWN), ("*", "insert"): Grant(check=OWN)}
    return Policies(tables={name: TablePolicy(table=name, grants=grants) for name in NAMES}, version="1")


async def measure(url: str, rounds: int) -> Mapping[tuple[str, int], list[float]]:
    """Microseconds of each insert, by table and number of rows."""
    connection = await asyncpg.connect(url)
    try:
        await migrate.migrate(connection)
        await connection.execute(TABLES + STIR)
        await connection.execute(row_checks.make((await read_schema(connection)).table("late")))
        engine = Engine(await read_schema(connection), policies(), record=False)
        found: dict[tuple[str, int], list[float]] = {(name, rows): [] for rows in (1, MANY) for name in NAMES}
        for turn in range(rounds + 1):
            for rows, times in ((1, SINGLES), (MANY, 1)):
                for _ in range(times):
                    for name in NAMES:
                        took = await _insert(engine, connection, name, rows)
                        if turn:  # the first warms up
                            found[name, rows].append(took)
    finally:
        await connection.close()
    return found


async def _insert(engine: Engine, connection: asyncpg.Connection[asyncpg.Record], table: str, rows: int) -> float:
    data = [{"tenant": "mine", "code": "x"}] * rows
    plan, values = engine.plan({"table": table, "operation": "insert", "data": data, "returning": ["id"]}, "anon")
    parameters = plan.parameters(values, CALLER, None)
    if plan.veiled != (table == "veiled"):
        raise AssertionError(f"{table}: veiled {plan.veiled}")
    start = time.perf_counter_ns()
    await connection.fetch(plan.text, *parameters)
    return (time.perf_counter_ns() - start) / 1000


async def run(rounds: int) -> None:
    async with database.scratch() as (_, server):
        found = await measure(await server.create("late_checks"), rounds)
    for (name, rows), times in found.items():
        median, baseline = statistics.median(times), statistics.median(found["ahead", rows])
        more = (median - baseline) / rows
        print(f"{rows:5} rows  {name:7} {median:8.0f} µs ({median / baseline:.2f} x), {more:+6.1f} µs a row")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    uvloop.run(run(parser.parse_args().rounds))


if __name__ == "__main__":
    main()

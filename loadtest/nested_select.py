"""What a nested select costs over the best SQL that a person writes for it: 100 parents with 10 children each.

    python -m loadtest.nested_select --database postgresql://... [--rounds 40] [--calls 25]

Method: one connection, statements prepared, the rows scattered over the tables; 10,000 children, an index on the
foreign key. All contenders take turns in rounds of `calls`, in one process on uvloop; each call is timed on its own,
from the values to the answer's JSON text. "by hand" are the usual ways to write it, and the figure is against the
fastest of them: json_agg over a subquery with its columns, json_build_object in a lateral join, one join with GROUP BY.
They write instants as Postgres does; the engine writes them (and bigint beyond 2^53) as at the top level, bounds
the children of each parent, and fills in the parameters anew for each call. "engine, shape known" is what a call costs
once its plan is kept; "engine, and compiled" makes the plan each time.
"""

# ruff: noqa: S608  # the texts are made of constants

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import orjson
import uvloop

from flux.data.compiler import Plan, compile
from flux.data.guard import Guard
from flux.data.policy.model import NO_POLICIES, Caller
from flux.data.query import parse
from flux.data.schema.introspect import read_schema
from flux.data.types.codec import set_codecs
from flux.store.pool import Connection

PARENTS, CHILDREN = "flux_bench_users", "flux_bench_posts"
ASKED, EACH = 100, 10
ALL_PARENTS = 1000

QUERY = {
    "table": PARENTS,
    "select": {"id": True, "email": True, "posts": {"select": {"id": True, "title": True, "views": True, "at": True}}},
    "order_by": "id",
    "limit": ASKED,
}
BY_HAND = {
    "json_agg": f"""
        SELECT u.id, u.email, (SELECT coalesce(json_agg(x), '[]') FROM
            (SELECT p.id, p.title, p.views, p.at FROM {CHILDREN} AS p WHERE p.user_id = u.id) AS x) AS posts
        FROM {PARENTS} AS u ORDER BY u.id LIMIT $1""",
    "lateral": f"""
        SELECT u.id, u.email, x.posts FROM {PARENTS} AS u LEFT JOIN LATERAL (
            SELECT coalesce(json_agg(json_build_object(
                'id', p.id, 'title', p.title, 'views', p.views, 'at', p.at)), '[]') AS posts
            FROM {CHILDREN} AS p WHERE p.user_id = u.id) AS x ON true
        ORDER BY u.id LIMIT $1""",
    "group by": f"""
        SELECT u.id, u.email, coalesce(json_agg(json_build_object(
            'id', p.id, 'title', p.title, 'views', p.views, 'at', p.at)) FILTER (WHERE p.id IS NOT NULL), '[]') AS posts
        FROM (SELECT * FROM {PARENTS} ORDER BY id LIMIT $1) AS u LEFT JOIN {CHILDREN} AS p ON p.user_id = u.id
        GROUP BY u.id, u.email ORDER BY u.id""",
}

Call = Callable[[], Awaitable[bytes]]


async def timed(call: Call, calls: int) -> list[float]:
    """Microseconds of each call."""
    found = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        await call()
        found.append((time.perf_counter_ns() - start) / 1000)
    return found


async def contenders(connection: Connection) -> dict[str, Call]:
    schema, guard, caller = await read_schema(connection), Guard(), Caller()
    name = next(iter(schema.table(PARENTS).relations))
    document = {**QUERY, "select": {**QUERY["select"], "posts": {"relation": name, **QUERY["select"]["posts"]}}}  # type: ignore[dict-item,index]  # QUERY is JSON
    query, values = parse(document)
    plan = compile(query, schema, NO_POLICIES, caller.role, guard=guard)

    async def answered(plan: Plan, values: list[Any]) -> bytes:
        records = await connection.fetch(plan.text, *plan.parameters(values, caller, None))
        return plan.answer([record[0].encode() for record in records])

    async def known() -> bytes:
        return await answered(plan, values)

    async def compiled() -> bytes:
        query, values = parse(document)
        plan = compile(query, schema, NO_POLICIES, caller.role, guard=guard)
        return await answered(plan, values)

    def by_hand(text: str) -> Call:
        async def call() -> bytes:
            return orjson.dumps([dict(row) for row in await connection.fetch(text, ASKED)])

        return call

    found: dict[str, Call] = {"engine, shape known": known, "engine, and compiled": compiled}
    found |= {f"by hand, {name}": by_hand(text) for name, text in BY_HAND.items()}
    answers = {name: orjson.loads(await call()) for name, call in found.items()}
    for name, answer in answers.items():
        assert [len(row["posts"]) for row in answer] == [EACH] * ASKED, name
    return found


async def run(url: str, rounds: int, calls: int) -> None:
    connection = await asyncpg.connect(url, server_settings={"jit": "off"})
    await set_codecs(connection)
    await connection.execute(f"""
        DROP TABLE IF EXISTS {CHILDREN}, {PARENTS};
        CREATE TABLE {PARENTS} (id bigserial PRIMARY KEY, email text NOT NULL);
        CREATE TABLE {CHILDREN} (
            id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES {PARENTS},
            title text NOT NULL, views integer, at timestamptz
        );
        INSERT INTO {PARENTS} (email) SELECT n || '@example.com' FROM generate_series(1, {ALL_PARENTS}) AS n;
        INSERT INTO {CHILDREN} (user_id, title, views, at)
            SELECT 1 + n % {ALL_PARENTS}, 'post number ' || n, n, now() - n * interval '1.234567 s'
            FROM generate_series(1, {ALL_PARENTS * EACH}) AS n;
        CREATE INDEX ON {CHILDREN} (user_id);
    """)
    await connection.execute(f"VACUUM ANALYZE {PARENTS}")
    await connection.execute(f"VACUUM ANALYZE {CHILDREN}")
    try:
        calling = await contenders(connection)
        found: dict[str, list[list[float]]] = {name: [] for name in calling}
        for number in range(rounds + 1):
            for name, call in calling.items():
                times = await timed(call, calls)
                if number:  # the first one warms up
                    found[name].append(times)
    finally:
        await connection.execute(f"DROP TABLE {CHILDREN}, {PARENTS}")
        await connection.close()
    report(found, rounds, calls)


def report(found: dict[str, list[list[float]]], rounds: int, calls: int) -> None:
    print(f"{ASKED} parents x {EACH} children; {rounds} rounds of {calls} calls, in turns; µs from values to JSON text")
    for name, times in found.items():
        every = [each for one_round in times for each in one_round]
        p50, p99 = statistics.median(every), statistics.quantiles(every, n=100)[98]
        print(f"{name:22} p50 {p50:8.1f}   p99 {p99:8.1f}")
    medians = {name: [statistics.median(one_round) for one_round in times] for name, times in found.items()}
    best = min(
        (name for name in medians if name.startswith("by hand")), key=lambda name: statistics.median(medians[name])
    )
    for name in found:
        if name.startswith("engine"):
            ratios = [mine / theirs for mine, theirs in zip(medians[name], medians[best], strict=True)]
            print(f"{name} / {best}: {statistics.median(ratios):.3f} (median of the rounds' ratios)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True, help="URL of a database in which tables may be made")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=25)
    given = parser.parse_args()
    uvloop.run(run(given.database, given.rounds, given.calls))


if __name__ == "__main__":
    main()

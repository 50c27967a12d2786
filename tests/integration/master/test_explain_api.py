"""/flux/api/explain, on a real Postgres."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from flux.data.routes.specs import specs
from flux.manifest import DataRoute, Limits, Manifest
from flux.master.api.live import Live
from flux.master.api.operator import operator_guard
from flux.master.api.serve import Api
from flux.master.api.services import ApiServices
from flux.store.pool import Pool
from tests.integration.master.conftest import Answer, Client, Serve

OPERATOR = "fluxop_" + "k" * 43
ROWS = 3000
TABLES = f"""
CREATE TABLE authors (id bigint PRIMARY KEY, tenant text NOT NULL, name text NOT NULL);
CREATE TABLE posts (
    id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES authors, plan text NOT NULL, at timestamptz NOT NULL,
    wait interval, tags text[] NOT NULL, bulky text
);
CREATE TABLE small (id int PRIMARY KEY, kind text);
INSERT INTO authors SELECT n, 't' || n % 300, 'name ' || n FROM generate_series(1, {ROWS}) AS n;
INSERT INTO posts SELECT n, n, 'plan ' || n % 300, now() - n * interval '1 hour', '1 hour', ARRAY['a' || n],
    repeat('x', 99) FROM generate_series(1, {ROWS}) AS n;
INSERT INTO small VALUES (1, 'a'), (2, 'b');
ANALYZE authors; ANALYZE posts; ANALYZE small;
"""
POLICY = {"member": {"select": {"columns": ["id", "tenant", "name"], "where": "tenant = $auth.tenant"}}}
MANIFEST = Manifest(
    functions=specs(
        [DataRoute(table="authors", path="/authors", columns=("id", "tenant"))], limits=Limits(), auth="none"
    )
)


@dataclass
class Node:
    client: Client
    pool: Pool

    async def send(self, method: str, path: str, body: Any) -> Answer:
        content = json.dumps(body).encode()
        auth = f"Authorization: Bearer {OPERATOR}"
        head = f"{method} /flux/api{path} HTTP/1.1\r\nHost: x\r\n{auth}\r\nContent-Length: {len(content)}\r\n\r\n"
        return await self.client.ask(head.encode() + content)

    async def explain(self, query: Any, **more: Any) -> Any:
        answer = await self.send("POST", "/explain", {"query": query, **more})
        assert answer.status == 200, answer
        return answer.json()


async def never(*_: Any) -> Any:
    raise AssertionError


@pytest.fixture
async def node(pool: Pool, serve: Serve) -> AsyncIterator[Node]:
    await pool.execute(TABLES)
    services = ApiServices(
        pool=pool,
        manifest=lambda: MANIFEST,
        invoke=never,
        rehearse=never,
        replay=never,
        keys_changed=lambda _: None,
        live=Live(),
    )
    served = await serve(api=Api(services).mount(operator_guard(OPERATOR)))
    async with await served.connect() as client:
        yield Node(client, pool)


async def test_a_missing_index_is_found_and_serves(node: Node) -> None:
    query = {"table": "posts", "where": {"plan": "plan 7", "at": {"gt": "2020-01-01T00:00:00Z"}}, "limit": 5}
    found = await node.explain(query)
    (index,) = found["indexes_missing"]
    assert index["table"] == "posts"
    assert index["columns"] == ["plan", "at"]
    assert index["ddl"] == 'CREATE INDEX CONCURRENTLY ON "public"."posts" ("plan", "at")'
    assert "all of the 3000 rows of posts are read" in index["why"]
    await node.pool.execute(index["ddl"])
    await node.pool.execute("ANALYZE posts")
    served = await node.explain(query)
    assert served["indexes_missing"] == []
    assert served["plan"]["cost"] < found["plan"]["cost"]


async def test_an_index_of_the_usual_name_is_not_in_the_way(node: Node) -> None:
    await node.pool.execute("CREATE INDEX posts_plan_idx ON posts (plan) WHERE plan < 'a'")
    query = {"table": "posts", "where": {"plan": "plan 7"}}
    (index,) = (await node.explain(query))["indexes_missing"]
    await node.pool.execute(index["ddl"])
    await node.pool.execute("ANALYZE posts")
    assert (await node.explain(query))["indexes_missing"] == []


async def test_joins_orders_and_other_kinds_of_index(node: Node) -> None:
    nested = {"table": "authors", "where": {"id": {"lte": 3}}, "select": {"posts": {"columns": ["id"]}}}
    found = await node.explain(nested)
    assert [each["columns"] for each in found["indexes_missing"]] == [["author_id"]]
    newest = await node.explain({"table": "posts", "order_by": {"at": "desc"}, "limit": 3})
    assert [each["columns"] for each in newest["indexes_missing"]] == [["at"]]
    assert "only the first by at are wanted" in newest["indexes_missing"][0]["why"]
    tagged = await node.explain({"table": "posts", "where": {"tags": {"contains": ["a1"]}}})
    assert tagged["indexes_missing"][0]["ddl"].endswith('USING gin ("tags")')
    named = await node.explain({"table": "authors", "where": {"name": {"ilike": "%7%7%"}}})
    assert named["indexes_missing"][0]["ddl"].endswith('USING gin ("name" gin_trgm_ops)')


async def test_small_tables_keys_and_unselective_conditions_need_none(node: Node) -> None:
    for query in (
        {"table": "small", "where": {"kind": "a"}},
        {"table": "posts", "where": {"id": 7}},
        {"table": "posts", "where": {"plan": {"neq": "plan 7"}}},
        {"table": "posts", "where": {"at": {"gt": "2000-01-01T00:00:00Z"}}},
        {"table": "posts", "limit": 10},
    ):
        assert (await node.explain(query))["indexes_missing"] == [], query


async def test_policies_parameters_and_guard(node: Node) -> None:
    saved = await node.send("PUT", "/policies/authors", POLICY)
    assert saved.status == 200
    found = await node.explain(
        {"table": "authors", "columns": ["name"], "where": {"name": "name 3"}}, role="member", tenant="t3"
    )
    assert found["policies"] == [
        {
            **{"table": "authors", "operation": "select", "columns": ["id", "name", "tenant"]},
            **{"where": "tenant = $auth.tenant", "check": None},
        }
    ]
    sources = {each["source"]: each["value"] for each in found["parameters"]}
    assert sources["the caller: $auth.tenant"] == "t3"
    assert sources["the query: name"] == "name 3"
    assert found["guard"]["score"] >= 1
    assert found["guard"]["limits"]["depth"] == 6
    assert found["warnings"] == []
    assert {"tenant", "name"} <= set(found["indexes_missing"][0]["columns"])
    refused = await node.send("POST", "/explain", {"query": {"table": "authors"}, "role": "stranger"})
    assert (refused.status, refused.code) == (403, "FORBIDDEN_TABLE")
    unprotected = await node.explain({"table": "small"})
    assert unprotected["warnings"] == ["Table small has no policy: every caller may do everything with it."]


async def test_as_a_data_route_has_it(node: Node) -> None:
    await node.send("PUT", "/policies/authors", POLICY)
    asked = {"query": {"table": "authors"}, "role": "member", "tenant": "t3", "function": "db:authors"}
    found = (await node.send("POST", "/explain", {**asked, "key": "3", "filters": [["tenant", "neq.x"]]})).json()
    assert found["policies"][0]["columns"] == ["id", "tenant"]
    assert found["plan"]["rows"] == 1
    hidden = await node.send("POST", "/explain", {**asked, "filters": [["name", "x"]]})
    assert hidden.code == "FORBIDDEN_COLUMN"
    nested = await node.send("POST", "/explain", {**asked, "query": {"table": "authors", "select": {"posts": {}}}})
    assert nested.code == "FORBIDDEN_TABLE"


async def test_nothing_is_written_and_reads_are_measured_on_request(node: Node) -> None:
    for query in (
        {"table": "posts", "operation": "delete", "where": {"plan": "plan 7"}},
        {"table": "posts", "operation": "update", "where": {"plan": "plan 7"}, "data": {"bulky": "y"}},
        {"table": "small", "operation": "insert", "data": [{"id": 3, "kind": "c"}]},
        {"table": "small", "operation": "upsert", "data": {"id": 1, "kind": "c"}, "on_conflict": ["id"]},
    ):
        found = await node.explain(query, analyze=True)
        assert found["writes"]
        assert found["plan"]["ms"] is None
        assert any("planned only" in warning for warning in found["warnings"])
    assert await node.pool.fetchval("SELECT count(*) FROM posts") == ROWS
    assert await node.pool.fetchval("SELECT string_agg(kind, '') FROM small") == "ab"
    measured = await node.explain({"table": "posts", "where": {"plan": "plan 7"}}, analyze=True)
    assert measured["plan"]["ms"] > 0
    for operation in ({"operation": "count"}, {"operation": "aggregate", "aggregates": {"n": "count"}}):
        assert (await node.explain({"table": "posts", **operation}))["plan"]["cost"] > 0


async def test_types_without_a_binary_form_and_the_pool_afterwards(node: Node) -> None:
    assert (await node.explain({"table": "posts", "where": {"wait": {"gt": "2 hours"}}}))["parameters"]
    async with node.pool.acquire() as connection:
        assert (await connection.fetchval("SELECT '1 hour'::interval")).total_seconds() == 3600


async def test_what_is_wrong_is_said(node: Node) -> None:
    for body, code, named in (
        ([], "VALIDATION_FAILED", "query"),
        ({"query": {"table": "posts"}, "rol": "x", "claims": 1, "analyze": "yes"}, "VALIDATION_FAILED", "explained"),
        ({"query": {"table": "posts"}, "role": "two words"}, "VALIDATION_FAILED", "explained"),
        ({"query": {"table": "posts"}, "function": "nope"}, "VALIDATION_FAILED", "explained"),
        ({"query": {"table": "posts"}, "filters": ["x"]}, "VALIDATION_FAILED", "explained"),
        ({"query": {"table": "post"}}, "UNKNOWN_TABLE", "posts"),
        ({"query": {}}, "INVALID_QUERY", "table"),
        ({"query": {"table": "posts", "where": {"id": "x"}}}, "INVALID_VALUE", "id"),
        ({"query": {"table": "posts", "where": {"bulky": {"match": "("}}}}, "INVALID_QUERY", "Postgres says"),
    ):
        refused = await node.send("POST", "/explain", body)
        assert refused.code == code, (body, refused.json())
        assert named in refused.json()["error"]["message"], refused.json()


STIRRED = """
CREATE FUNCTION stir() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER stir BEFORE INSERT ON authors FOR EACH ROW EXECUTE FUNCTION stir();
"""


async def test_errors_that_are_told_alike_are_announced(node: Node) -> None:
    policy = {"member": {"select": True, "insert": {"check": "tenant = $auth.tenant"}}}
    assert (await node.send("PUT", "/policies/authors", policy)).status == 200
    row = {"id": 0, "tenant": "t3", "name": "x"}
    asked = {"table": "authors", "operation": "insert", "data": row}
    assert (await node.explain(asked, role="member"))["warnings"] == []
    await node.pool.execute(STIRRED)
    [warning] = (await node.explain(asked, role="member"))["warnings"]
    assert "both answered with FORBIDDEN_ROW" in warning

"""Tables over HTTP without a function: what routes do, what each caller may, what a hostile one gets."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest

from tests.fixtures.server import Client, Serve

from .projects import HERE, copy_of

TOML = (HERE / "data" / "flux.toml").read_text()


@dataclass
class Caller:
    """Somebody with an API key."""

    client: Client
    key: str | None

    async def ask(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """(status, JSON body or None, headers)."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            headers["x-api-key"] = self.key
        if body is not None:
            raw = orjson.dumps(body)
        async with self.client.session.request(
            method,
            self.client.server.url + path,
            data=None if raw is None else io.BytesIO(raw),
            headers={"content-type": "application/json", **headers},
        ) as response:
            content = await response.read()
            found = {name.lower(): value for name, value in response.headers.items()}
            return response.status, orjson.loads(content) if content else None, found


@dataclass
class World:
    client: Client
    ada: Caller  # role member, tenant a
    bob: Caller  # role member, tenant b
    reader: Caller  # role reader, tenant a
    writer: Caller  # role writer, tenant a: no select
    nobody: Caller


async def caller(client: Client, role: str, tenant: str) -> Caller:
    status, made = await client.api("POST", "/keys", {"name": f"{role} {tenant}", "role": role, "tenant": tenant})
    assert status == 201, made
    return Caller(client, made["key"])


@pytest.fixture
async def world(serve: Serve, tmp_path: Path) -> World:
    client = await serve(copy_of("data", tmp_path, TOML))
    return World(
        client,
        await caller(client, "member", "a"),
        await caller(client, "member", "b"),
        await caller(client, "reader", "a"),
        await caller(client, "writer", "a"),
        Caller(client, None),
    )


async def titles(caller: Caller, query: str = "") -> list[str]:
    status, rows, _ = await caller.ask("GET", f"/notes?order_by=id{'&' if query else ''}{query}")
    assert status == 200, (rows, caller.client.server.output()[-3000:])
    return [row["title"] for row in rows]


async def test_reading(world: World) -> None:
    ada, bob, reader = world.ada, world.bob, world.reader
    assert await titles(ada) == ["first", "second"]
    assert await titles(bob) == ["third"]
    assert await titles(ada, "title=first") == ["first"]
    assert await titles(ada, "title=in.first,third") == ["first"]
    assert await titles(ada, "stars=gte.1.5&stars=lt.2") == ["first"]
    assert await titles(ada, "done=true") == ["second"]
    assert await titles(ada, "done=not.eq.true") == ["first"]
    assert await titles(ada, "tags=contains.x,y") == ["first"]
    assert await titles(ada, quote("settings->>theme") + "=dark") == ["first"]
    assert await titles(ada, urlencode({"where": '{"or": [{"title": "second"}, {"id": 1}]}'})) == ["first", "second"]
    assert await titles(ada, "limit=1&offset=1") == ["second"]
    assert await titles(ada, urlencode({"after": '{"id": 1}'})) == ["second"]

    status, rows, headers = await ada.ask("GET", "/notes?select=id,title&order_by=-title&limit=1&count=exact")
    assert (status, rows, headers["x-total-count"]) == (200, [{"id": 2, "title": "second"}], "2")
    assert headers["content-type"] == "application/json"

    status, rows, headers = await ada.ask("GET", "/notes?limit=1")
    assert "x-total-count" not in headers

    nested = urlencode({"select": '{"id": true, "member": {"select": {"email": true}}}'})
    status, rows, _ = await ada.ask("GET", f"/notes/1?{nested}")
    assert (status, rows) == (200, {"id": 1, "member": {"email": "ada@a.org"}})

    assert (await ada.ask("GET", "/notes/3"))[0] == 404
    status, found, _ = await reader.ask("GET", "/notes/1")
    assert (status, found) == (200, {"id": 1, "tenant": "a", "title": "first"})
    assert (await reader.ask("GET", "/notes?stars=1.5"))[0] == 403
    assert (await reader.ask("GET", "/notes?order_by=stars"))[1]["error"]["code"] == "FORBIDDEN_COLUMN"

    status, body, headers = await ada.ask("HEAD", "/notes?count=exact")
    assert (status, body, headers["x-total-count"]) == (200, None, "2")

    status, rows, _ = await world.nobody.ask("GET", "/seats/hall=A,seat=2")
    assert (status, rows) == (200, {"hall": "A", "seat": 2, "taken": True})
    assert (await ada.ask("GET", "/api/members?select=email"))[1] == [{"email": "ada@a.org"}]


async def test_writing(world: World) -> None:
    ada, bob, writer = world.ada, world.bob, world.writer
    status, made, _ = await ada.ask("POST", "/notes", {"tenant": "a", "title": "new", "tags": ["z"]})
    assert (status, made["title"], made["done"]) == (201, "new", False)
    status, many, _ = await ada.ask("POST", "/notes?returning=title", [{"tenant": "a", "title": t} for t in "pq"])
    assert (status, many) == (201, [{"title": "p"}, {"title": "q"}])
    assert (await ada.ask("POST", "/notes", {"tenant": "b", "title": "x"}))[:2][0] == 403
    assert (await ada.ask("POST", "/notes", {"tenant": "a", "title": ""}))[1]["error"]["code"] == "CHECK_VIOLATION"
    status, refused, _ = await ada.ask("POST", "/notes", {"id": 1, "tenant": "a", "title": "x"})
    assert (status, refused["error"]["code"]) == (409, "UNIQUE_VIOLATION")
    upserted = {"id": 1, "tenant": "a", "title": "one"}
    status, made, _ = await ada.ask("POST", "/notes?on_conflict=id", upserted)
    assert (status, made["title"]) == (201, "one")

    where = f"/notes/{made['id']}"
    status, changed, _ = await ada.ask("PATCH", where, {"done": True})
    assert (status, changed["done"], changed["title"]) == (200, True, "one")
    assert (await bob.ask("PATCH", where, {"done": False}))[0] == 404
    assert (await bob.ask("DELETE", where))[0] == 404
    status, rows, _ = await ada.ask("PATCH", "/notes?title=in.p,q&returning=title,stars", {"stars": 4.5})
    assert (status, len(rows), {row["stars"] for row in rows}) == (200, 2, {4.5})
    assert (await ada.ask("PATCH", "/notes", {"stars": 1}))[1]["error"]["code"] == "WHERE_REQUIRED"
    assert (await ada.ask("DELETE", "/notes"))[1]["error"]["code"] == "WHERE_REQUIRED"

    # Who may read nothing can name no row either; what it makes it is not shown.
    assert (await writer.ask("PATCH", where, {"title": "two"}))[0] == 403
    assert (await writer.ask("POST", "/notes", {"tenant": "a", "title": "blind"}))[:2] == (201, None)
    assert (await writer.ask("GET", "/notes"))[0] == 403

    assert (await ada.ask("DELETE", where))[:2] == (204, None)
    assert (await ada.ask("DELETE", where))[0] == 404
    assert (await ada.ask("DELETE", "/notes?title=p&returning=title"))[:2] == (200, [{"title": "p"}])
    assert (await ada.ask("DELETE", "/notes?all=true"))[:2] == (204, None)
    assert await titles(ada) == []
    assert await titles(bob) == ["third"]


async def test_whole_queries(world: World) -> None:
    ada = world.ada
    count = {"operation": "count"}
    assert (await ada.ask("POST", "/notes/query", count))[:2] == (200, 2)
    sums = {
        "operation": "aggregate",
        "aggregates": {"stars": {"sum": "stars"}},
        "group_by": ["done"],
        "order_by": "done",
    }
    status, rows, _ = await ada.ask("POST", "/notes/query", sums)
    assert (status, rows) == (200, [{"done": False, "stars": 1.5}, {"done": True, "stars": 2}])
    status, rows, _ = await ada.ask("POST", "/notes/query", {"where": {"id": 2}, "columns": ["title"], "one": True})
    assert (status, rows) == (200, {"title": "second"})
    status, rows, _ = await ada.ask(
        "POST", "/notes/query", {"operation": "update", "where": {"id": 2}, "data": {"stars": 9}}
    )
    assert (status, rows[0]["stars"]) == (200, 9)
    status, refused, _ = await ada.ask("POST", "/api/members/query", {"operation": "delete", "all": True})
    assert (status, refused["error"]["code"]) == (403, "FORBIDDEN_OPERATION")
    status, refused, _ = await ada.ask("POST", "/notes/query", {"table": "members"})
    assert (status, refused["error"]["code"]) == (400, "INVALID_ARGUMENT")


async def test_what_a_route_leaves_out(world: World) -> None:
    nobody, ada = world.nobody, world.ada
    assert (await nobody.ask("GET", "/notes"))[0] == 401
    assert (await nobody.ask("GET", "/things"))[:2] == (200, [{"id": 1, "visible": "v"}])
    for query in ("hidden=h", "select=hidden", "order_by=hidden", urlencode({"where": '{"not": {"hidden": "h"}}'})):
        status, refused, _ = await nobody.ask("GET", f"/things?{query}")
        assert (status, refused["error"]["code"]) == (403, "FORBIDDEN_COLUMN"), query
    assert (await nobody.ask("GET", "/things?count=exact"))[1]["error"]["code"] == "FORBIDDEN_OPERATION"
    status, _, headers = await nobody.ask("DELETE", "/things/1")
    assert (status, headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    # A table without a policy is not reached by way of one that has one.
    for select in ('{"audits": {}}', '{"email": true, "audits": {"columns": ["id"]}}'):
        status, refused, _ = await ada.ask("GET", "/api/members?" + urlencode({"select": select}))
        assert (status, refused["error"]["code"]) == (403, "FORBIDDEN_TABLE"), refused
    status, refused, _ = await ada.ask("GET", "/api/members?" + urlencode({"where": '{"audits": {"some": {"id": 1}}}'}))
    assert (status, refused["error"]["code"]) == (403, "FORBIDDEN_TABLE")
    # By name it is a query, with the same rights: those of the operator's role, of which no policy knows.
    client = world.client
    assert await client.api("POST", "/invoke/db:open_things", {"columns": ["visible"]}) == (200, [{"visible": "v"}])
    status, refused = await client.api("POST", "/invoke/db:notes", {"columns": ["title"]})
    assert (status, refused["error"]["code"]) == (403, "FORBIDDEN_TABLE")


HOSTILE = (
    ("titel=x", "UNKNOWN_COLUMN", '"titel"'),
    ("limt=5", "UNKNOWN_COLUMN", '"limt"'),
    ("limit=-1", "INVALID_ARGUMENT", '"limit"'),
    ("limit=100000", "TOO_MANY_ROWS", '"limit"'),
    ("limit=1&limit=2", "INVALID_ARGUMENT", '"limit"'),
    ("count=planned", "INVALID_ARGUMENT", '"count"'),
    ("where=%7B", "INVALID_ARGUMENT", '"where"'),
    ("where=%5B%5D", "INVALID_QUERY", '"where"'),
    ("id=abc", "INVALID_VALUE", '"id"'),
    ("id=1;drop table notes", "INVALID_VALUE", '"id"'),
    ("id%3B--=1", "UNKNOWN_COLUMN", ""),
    ("%27=1", "UNKNOWN_COLUMN", ""),
    ("done=maybe", "INVALID_VALUE", '"done"'),
    ("stars=NaNa", "INVALID_VALUE", '"stars"'),
    ("and=1", "UNKNOWN_COLUMN", '"and"'),
    ("title=fts.(", "INVALID_ARGUMENT", "title"),
    ("order_by=id;select 1", "UNKNOWN_COLUMN", "id;select 1"),
    ("select=%7B%22a%22:%22id%22,%22__proto__%22:%22x%22%7D", "UNKNOWN_COLUMN", '"x"'),
    ("tags=contains.%5B%5B%5B1%5D%5D%5D", "INVALID_VALUE", "tags"),
    ("distinct=perhaps", "UNKNOWN_COLUMN", "perhaps"),
    ("title=%00", "INVALID_VALUE", "title"),
)


async def test_hostile_parameters(world: World) -> None:
    for query, code, named in HOSTILE:
        status, refused, _ = await world.ada.ask("GET", "/notes?" + query.replace(" ", "%20"))
        assert (status, refused["error"]["code"]) == (400, code), (query, refused)
        assert named in refused["error"]["message"], query


async def test_hostile_requests(world: World) -> None:
    ada = world.ada

    async def refused(method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
        status, answer, _ = await ada.ask(method, path, body, **more)
        return status, answer["error"]["code"]

    deep: Any = {"id": 1}
    for _ in range(200):
        deep = {"not": deep}
    assert await refused("GET", "/notes?" + urlencode({"where": orjson.dumps(deep)})) == (400, "QUERY_TOO_DEEP")
    brackets = "[" * 5000
    assert await refused("GET", "/notes?where=" + brackets) == (400, "INVALID_ARGUMENT")
    status, answer, _ = await ada.ask("POST", "/notes/query", raw=b'{"where":' * 20_000)
    assert (status, answer["error"]["code"]) == (400, "INVALID_JSON")
    many = {"where": {"or": [{"id": number} for number in range(500)]}}
    assert await refused("POST", "/notes/query", many) == (400, "QUERY_TOO_COMPLEX")
    huge = {"where": {"title": {"in": ["x" * 1000] * 1100}}}
    assert await refused("POST", "/notes/query", huge) == (413, "PAYLOAD_TOO_LARGE")
    status, answer, _ = await ada.ask("GET", "/notes?title=" + "x" * 200_000)
    assert status == 431
    rows = [{"tenant": "a", "title": "x"}] * 5001
    assert await refused("POST", "/notes", rows) == (400, "TOO_MANY_ROWS")
    assert await refused("POST", "/notes", raw=b"") == (400, "INVALID_JSON")
    assert await refused("POST", "/notes", raw=b"title=x", content_type="text/plain") == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert await refused("POST", "/notes", 5) == (400, "INVALID_ARGUMENT")
    assert await refused("POST", "/notes?foo=1&bar=2", {"title": "x"}) == (400, "INVALID_ARGUMENT")
    assert await refused("POST", "/notes", {"tenant": "a", "title": "x", "nope": 1}) == (400, "UNKNOWN_COLUMN")
    assert await refused("PATCH", "/notes/1", [{"title": "x"}]) == (400, "INVALID_ARGUMENT")
    assert await refused("PATCH", "/notes/1?where=%7B%7D", {"title": "x"}) == (400, "INVALID_ARGUMENT")
    assert await refused("DELETE", "/notes?title=first", {"title": "second"}) == (400, "INVALID_ARGUMENT")
    assert await refused("GET", "/notes/1%20or%201=1") == (400, "INVALID_VALUE")
    assert await refused("GET", "/seats/A") == (400, "INVALID_ARGUMENT")
    assert await refused("POST", "/notes/query", {"opperation": "delete"}) == (400, "INVALID_QUERY")
    assert await refused("POST", "/notes/query", {"operation": "drop"}) == (403, "FORBIDDEN_OPERATION")
    assert await refused("POST", "/notes/query", {"operation": ["delete"]}) == (400, "INVALID_ARGUMENT")
    status, answer, _ = await ada.ask("POST", "/notes/query?limit=1", {})
    assert (status, answer["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert '"limit"' in answer["error"]["message"]
    assert await titles(ada) == ["first", "second"]
    assert await titles(world.bob) == ["third"]


async def test_executions_of_routes_are_recorded_and_replayed(world: World) -> None:
    ada, client = world.ada, world.client
    _, made, headers = await ada.ask("POST", "/notes", {"tenant": "a", "title": "recorded"})
    execution = await client.execution(headers["x-request-id"])
    assert execution["function"] == "db:notes"
    assert [span["name"] for span in execution["spans"]] == ["gateway", "db:notes", "db:insert(notes)"]
    assert execution["spans"][2]["input"]["query"]["data"]["title"] == "recorded"
    _, history = await client.api("GET", f"/state/notes/history?id={made['id']}")
    assert history["items"][0]["request_id"] == headers["x-request-id"], history

    for method, path in (("GET", "/notes?count=exact&done=false"), ("GET", "/notes/3"), ("GET", "/notes?nope=1")):
        _, _, headers = await ada.ask(method, path)
        status, replayed = await client.api("POST", f"/executions/{headers['x-request-id']}/replay")
        assert (status, replayed["match"], replayed["divergences"]) == (200, True, []), path

    _, functions = await client.api("GET", "/functions")
    assert {"db:notes", "db:members", "db:seats", "db:open_things"} <= {each["name"] for each in functions["items"]}


async def test_a_table_without_a_policy_is_not_served(serve: Serve, tmp_path: Path) -> None:
    project = copy_of("data", tmp_path, TOML.replace("policies = false\n", ""))
    with pytest.raises(AssertionError, match=r'table "open_things" .*has no policy'):
        await serve(project)


async def test_a_policy_that_is_removed_closes_the_route(world: World) -> None:
    status, _ = await world.client.api("DELETE", "/policies/seats")
    assert status == 200
    for _ in range(40):  # it is in force within a second
        status, refused, _ = await world.nobody.ask("GET", "/seats")
        if status == 403:
            break
        await asyncio.sleep(0.1)
    assert (status, refused["error"]["code"]) == (403, "FORBIDDEN_TABLE")

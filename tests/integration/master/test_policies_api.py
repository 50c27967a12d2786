"""/flux/api/policies, on a real Postgres."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from flux.master.api.live import Live
from flux.master.api.operator import operator_guard
from flux.master.api.serve import Api
from flux.master.api.services import ApiServices
from flux.store.pool import Pool
from tests.integration.master.conftest import LIVE, Answer, Client, Serve

OPERATOR = "fluxop_" + "k" * 43
DOCUMENT = {"masked": ["email"], "member": {"select": {"columns": ["id"], "where": "id = $auth.uid"}}}


class Node:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.changes = 0

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        auth = f"Authorization: Bearer {OPERATOR}"
        head = f"{method} /flux/api{path} HTTP/1.1\r\nHost: x\r\n{auth}\r\nContent-Length: {len(body)}\r\n\r\n"
        return await self.client.ask(head.encode() + body)

    async def send(self, method: str, path: str, body: Any) -> Answer:
        return await self.ask(method, path, json.dumps(body).encode())

    def changed(self) -> None:
        self.changes += 1


async def never(*_: Any) -> Any:
    raise AssertionError


@pytest.fixture
async def node(pool: Pool, serve: Serve) -> AsyncIterator[Node]:
    await pool.execute("CREATE TABLE users (id text PRIMARY KEY, email text); INSERT INTO users VALUES ('a', 'a@x')")
    holder: list[Node] = []
    services = ApiServices(
        pool=pool,
        manifest=lambda: LIVE,
        invoke=never,
        rehearse=never,
        replay=never,
        keys_changed=lambda _: None,
        live=Live(),
        policies_changed=lambda: holder[0].changed(),  # noqa: PLW0108  made later
    )
    served = await serve(api=Api(services).mount(operator_guard(OPERATOR)))
    async with await served.connect() as client:
        holder.append(Node(client))
        yield holder[0]


async def test_set_show_list_remove(node: Node) -> None:
    assert (await node.ask("GET", "/policies")).json() == {"items": [], "warnings": []}
    saved = await node.send("PUT", "/policies/users", DOCUMENT)
    assert (saved.status, saved.json()["version"], node.changes) == (200, 1, 1)
    await node.send("PUT", "/policies/users", {"member": {"preset": "full"}})
    (item,) = (await node.ask("GET", "/policies")).json()["items"]
    assert (item["table"], item["version"], item["problem"]) == ("users", 2, None)
    older = (await node.ask("GET", "/policies/users?version=1")).json()
    assert (older["document"], older["active"]) == (DOCUMENT, False)
    assert (await node.ask("GET", "/policies/users")).json()["version"] == 2
    assert (await node.ask("DELETE", "/policies/users")).json() == {"table": "users", "removed": True}
    assert node.changes == 3
    assert (await node.ask("GET", "/policies/users")).status == 404
    assert (await node.ask("DELETE", "/policies/users")).status == 404
    assert (await node.ask("GET", "/policies/users?version=7")).status == 404


async def test_what_is_wrong_is_said(node: Node) -> None:
    refused = await node.send("PUT", "/policies/users", {"member": {"select": {"where": "nme = 'x'"}}})
    assert (refused.status, refused.code) == (400, "POLICY_INVALID")
    assert "member.select.where: at character 1" in refused.json()["error"]["message"]
    assert (await node.send("PUT", "/policies/user", {})).code == "UNKNOWN_TABLE"
    assert (await node.ask("PUT", "/policies/users", b"{")).code == "INVALID_JSON"
    assert (await node.send("PUT", "/policies/users", [])).code == "POLICY_INVALID"
    assert (await node.ask("GET", "/policies/user/explain")).code == "UNKNOWN_TABLE"
    assert node.changes == 0
    assert (await node.ask("GET", "/policies")).json()["items"] == []


async def test_explain_and_test(node: Node) -> None:
    open_ = (await node.ask("GET", "/policies/users/explain")).json()
    assert (open_["restricted"], open_["grants"][0]["allowed"]) == (False, True)
    await node.send("PUT", "/policies/users", DOCUMENT)
    explained = (await node.ask("GET", "/policies/users/explain")).json()
    assert explained["masked"] == ["email"]
    assert explained["grants"][0] == {
        **{"role": "member", "operation": "select", "allowed": True, "by": "member"},
        **{"columns": ["id"], "where": "id = $auth.uid", "check": None},
    }
    tested = (await node.send("POST", "/policies/users/test", {"role": "member", "uid": "a", "id": "a"})).json()
    assert tested["row"] == {"found": True, "visible": True, "valid": True}
    tested = (await node.send("POST", "/policies/users/test", {"role": "member", "uid": "b", "id": "a"})).json()
    assert tested["row"]["visible"] is False
    tested = (await node.send("POST", "/policies/users/test", {})).json()
    assert (tested["role"], tested["allowed"], tested["row"]) == ("anon", False, None)
    wrong = {"role": "a b", "uid": 1, "tenant": [], "claims": [], "operation": "x", "more": 1}
    refused = await node.send("POST", "/policies/users/test", wrong)
    assert refused.code == "VALIDATION_FAILED"
    assert {each["path"] for each in refused.json()["error"]["violations"]} == set(wrong)


@pytest.mark.parametrize("key", ["id", "uid", "tenant", "claims"])
async def test_a_caller_with_nul(node: Node, key: str) -> None:
    """No text in Postgres holds one, so nothing that is asked there can."""
    assert (await node.send("PUT", "/policies/users", DOCUMENT)).status == 200
    for value, status in (("\0", 422), ("\\u0000", 200)):
        asked = {"role": "member", "id": "a", key: {"name": value} if key == "claims" else value}
        answer = await node.send("POST", "/policies/users/test", asked)
        assert answer.status == status, answer.json()
        if status == 422:
            assert [each["path"] for each in answer.json()["error"]["violations"]] == [key]


async def test_a_path_with_nul(node: Node) -> None:
    for path in ("/policies/%00", "/policies/users?version=%00", "/keys?x=%00"):
        answer = await node.ask("GET", path)
        assert (answer.status, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")

"""zod, hono, jose, nanoid, date-fns and lodash-es: the functions of examples/npm, built and run in an isolate."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest

from flux.build import Project, build_project, store
from flux.manifest import Manifest

from .running import STARTED_US, Request, Result, run

EXAMPLE = Path(__file__).parents[3] / "examples" / "npm"


class Npm:
    def __init__(self, project: Project, manifest: Manifest) -> None:
        self._project = project
        self._manifest = manifest

    async def call(self, name: str, request: Request) -> Result:
        return await run(store.load_bundle(self._project.builds, self._manifest.functions[name].version), request)

    async def result(self, name: str, body: Any) -> Any:
        result = await self.call(name, Request(body=body))
        assert result.kind == "json", result
        return result.payload


@pytest.fixture
async def npm(tmp_path_factory: pytest.TempPathFactory) -> Npm:
    # One store for all tests of a session: what was built for one is there for the next.
    builds = tmp_path_factory.getbasetemp() / "npm-example" / "builds"
    project = Project(folder=EXAMPLE, functions=EXAMPLE / "functions", builds=builds)
    return Npm(project, await build_project(project, check=False))


async def test_zod(npm: Npm) -> None:
    items = [{"sku": "ABC-1", "quantity": 2}, {"sku": "XYZ-22", "quantity": 3}]
    assert await npm.result("validate", {"items": items, "coupon": " spring "}) == {"pieces": 5, "coupon": "SPRING"}
    failed = await npm.call("validate", Request(body={"items": [{"sku": "abc", "quantity": 0.5}]}))
    assert failed.kind == "failed"
    assert (failed.payload["code"], failed.payload["status"]) == ("VALIDATION_FAILED", 422)
    assert {violation["path"] for violation in failed.payload["violations"]} == {"items[0].sku", "items[0].quantity"}


async def test_hono(npm: Npm) -> None:
    listed = await npm.call("router", Request(method="GET", path="/books", query={"title": "Emma"}))
    assert (listed.kind, listed.payload["status"]) == ("response", 200)
    assert json.loads(listed.payload["body"]) == {"books": [{"id": 2, "title": "Emma"}]}
    one = await npm.call("router", Request(method="GET", path="/books/1", params={"id": "1"}))
    assert json.loads(one.payload["body"])["title"] == "Middlemarch"
    none = await npm.call("router", Request(method="GET", path="/books/9", params={"id": "9"}))
    assert none.payload["status"] == 404
    made = await npm.call("router", Request(path="/books", body={"title": "Persuasion"}))
    assert made.payload["status"] == 201
    assert ["location", "/books/3"] in made.payload["headers"]


async def test_jose(npm: Npm) -> None:
    secret = "a secret that is long enough to sign"
    result = await npm.call("token", Request(body={"subject": "ada", "secret": secret}))
    assert result.kind == "json", result
    assert "crypto.sign" in result.calls
    assert "crypto.verify" in result.calls
    assert (result.payload["subject"], result.payload["role"]) == ("ada", "reader")
    assert result.payload["expires_in"] == 7200
    signed, _, signature = result.payload["token"].rpartition(".")
    expected = hmac.digest(secret.encode(), signed.encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(signature + "=") == expected
    claims = json.loads(base64.urlsafe_b64decode(signed.split(".")[1] + "=="))
    assert claims["iat"] == STARTED_US // 1_000_000


async def test_nanoid(npm: Npm) -> None:
    first = await npm.result("short_id", {"length": 12})
    assert re.fullmatch(r"[A-Za-z0-9_-]{12}", first["id"])
    assert re.fullmatch(r"\d{6}", first["pin"])
    assert first["request"] == "r-1"
    # The same seed, the same IDs.
    assert await npm.result("short_id", {"length": 12}) == first


async def test_date_fns(npm: Npm) -> None:
    assert await npm.result("due_date", {"from": "2026-11-20", "days": 3}) == {
        "due": "2026-11-25",
        "calendar_days": 5,
        "weekend_start": False,
    }


async def test_lodash_es(npm: Npm) -> None:
    sales = [{"region": region, "amount": amount} for region, amount in (("n", 5), ("s", 7), ("n", 4))]
    assert await npm.result("report", {"sales": sales}) == {"totals": {"n": 9, "s": 7}, "best": "n"}

"""The steps together: their order, and the record of what they decided."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from flux.config import load
from flux.errors import Conflict, FluxError
from flux.master.gateway.auth import ApiKey
from flux.master.gateway.pipeline import STEPS, Decision, Gateway
from flux.master.gateway.request import Request
from flux.master.gateway.request_id import text_of
from tests.unit.master.gateway.specs import function, manifest

APP = "https://app.example.com"
KEY = ApiKey("abcd1234", hashlib.sha256(b"s3cret").digest(), "acme", "billing")
LIVE = manifest(
    function("hello", "POST /hello"),
    function("closed", "POST /closed", auth="api_key"),
    function("user", "GET /users/:id"),
    function("options", "OPTIONS /own"),
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def gateway(clock: Clock | None = None, **overrides: Any) -> Gateway:
    settings = load(Path("/no/such/project"), overrides, {})
    return Gateway(settings, LIVE, {KEY.id: KEY}, clock or Clock())


def request(method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> Request:
    fields = {"remote": "10.0.0.1", "trusted": False, "content_length": 0, **more}
    return Request(method, path, CIMultiDict(headers or {}), **fields)


def code(decision: Decision) -> str | None:
    return None if decision.error is None else decision.error.code


def test_accepted() -> None:
    decision = gateway().decide(request("GET", "/users/7"))
    assert code(decision) is None
    assert decision.spec is not None
    assert decision.spec.name == "user"
    assert decision.target is not None
    assert decision.target.route == "/users/:id"
    assert decision.params == {"id": "7"}
    assert decision.headers == ()
    assert json.loads(decision.record) == dict.fromkeys(STEPS, "ok")


@pytest.mark.parametrize(
    ("sent", "refused_at", "error"),
    [
        (request("POST", "/none", content_length=2_000_000), "size", "PAYLOAD_TOO_LARGE"),
        (request("POST", "/none"), "route", "ROUTE_NOT_FOUND"),
        (request("GET", "/closed"), "route", "METHOD_NOT_ALLOWED"),
        (request("GET", "/users/%zz"), "route", "INVALID_REQUEST"),
        (request("POST", "/closed"), "auth", "UNAUTHENTICATED"),
    ],
)
def test_the_first_step_that_refuses_is_the_last_in_the_record(sent: Request, refused_at: str, error: str) -> None:
    decision = gateway().decide(sent)
    assert code(decision) == error
    record = json.loads(decision.record)
    assert list(record) == list(STEPS[: STEPS.index(refused_at) + 1])
    assert record.pop(refused_at) == "refused"
    assert set(record.values()) <= {"ok"}


def test_a_key_brings_its_tenant_and_its_bucket() -> None:
    clock = Clock()
    of = gateway(clock, **{"rate_limit.rate": 1.0, "rate_limit.burst": 1})
    with_key = request("POST", "/closed", {"Authorization": "Bearer flux_abcd1234_s3cret"})
    first = of.decide(with_key)
    assert (first.tenant, first.key) == ("acme", KEY)
    assert ("ratelimit-remaining", "0") in first.headers
    second = of.decide(with_key._replace(remote="10.9.9.9"))
    assert code(second) == "RATE_LIMITED"
    assert json.loads(second.record)["rate_limit"] == "refused"
    assert (second.tenant, second.spec) == ("acme", first.spec)
    assert code(of.decide(request("POST", "/hello"))) is None
    clock.now = 1.0
    assert code(of.decide(with_key)) is None


def test_a_revoked_key_is_refused_at_once() -> None:
    of = gateway()
    sent = request("POST", "/closed", {"x-api-key": "flux_abcd1234_s3cret"})
    assert code(of.decide(sent)) is None
    of.set_keys({})
    assert code(of.decide(sent)) == "UNAUTHENTICATED"


def test_a_deploy_swaps_all_routes_or_none() -> None:
    of = gateway()
    with pytest.raises(Conflict):
        of.swap(manifest(function("a", "GET /x"), function("b", "GET /x")))
    assert code(of.decide(request("POST", "/hello"))) is None
    of.swap(manifest(function("a", "GET /x")))
    assert code(of.decide(request("POST", "/hello"))) == "ROUTE_NOT_FOUND"
    assert code(of.decide(request("GET", "/x"))) is None


def test_identity() -> None:
    of = gateway()
    sent = str(uuid.uuid4())
    headers = {"X-Request-Id": sent, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    trusted = of.decide(request("POST", "/hello", headers, trusted=True))
    assert text_of(trusted.request_id) == sent
    assert trusted.traceparent == headers["traceparent"]
    stranger = of.decide(request("POST", "/hello", headers))
    assert text_of(stranger.request_id) != sent
    assert text_of(of.decide(request("POST", "/hello", {"x-request-id": "1"}, trusted=True)).request_id) != "1"


CORS: dict[str, Any] = {"cors.origins": (APP,)}
PREFLIGHT = {"Origin": APP, "Access-Control-Request-Method": "POST"}


def test_preflight_is_answered_here() -> None:
    decision = gateway(**CORS).decide(request("OPTIONS", "/hello", PREFLIGHT))
    assert decision.answered
    assert decision.spec is None
    assert dict(decision.headers)["access-control-allow-origin"] == APP
    assert json.loads(decision.record)["cors"] == "preflight"


def test_preflight_of_a_stranger_is_refused() -> None:
    decision = gateway(**CORS).decide(request("OPTIONS", "/hello", {**PREFLIGHT, "Origin": "https://evil.example"}))
    assert code(decision) == "FORBIDDEN"
    assert not decision.answered
    assert json.loads(decision.record) == {"size": "ok", "route": "ok", "cors": "refused"}


def test_options_without_cors() -> None:
    of = gateway()
    plain = of.decide(request("OPTIONS", "/hello"))
    assert plain.answered
    assert dict(plain.headers) == {"allow": "OPTIONS, POST"}
    assert of.decide(request("OPTIONS", "/own")).spec is not None
    assert code(of.decide(request("OPTIONS", "/none"))) == "ROUTE_NOT_FOUND"


@pytest.mark.parametrize(
    "sent",
    [
        request("POST", "/hello", {"origin": APP}),
        request("POST", "/closed", {"origin": APP}),
        request("POST", "/none", {"origin": APP}),
        request("POST", "/hello", {"origin": APP}, content_length=2_000_000),
    ],
)
def test_pages_can_read_answers_and_refusals(sent: Request) -> None:
    assert dict(gateway(**CORS).decide(sent).headers)["access-control-allow-origin"] == APP


def test_a_refusal_is_never_raised() -> None:
    of = gateway()
    for path in ("", "*", "//", "/..", "/%", "/\udcff", "x"):
        for method in ("GET", "OPTIONS", "BREW"):
            assert isinstance(of.decide(request(method, path)).error, FluxError)

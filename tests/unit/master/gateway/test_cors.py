"""CORS permissions."""

from __future__ import annotations

import pytest

from flux.errors import Forbidden
from flux.master.gateway.cors import CorsPolicy
from flux.settings.sections import Cors

APP = "https://app.example.com"


def test_an_origin_on_the_list_is_named_back() -> None:
    permission = dict(CorsPolicy(Cors(origins=(APP,), credentials=True)).permission(APP))
    assert permission["access-control-allow-origin"] == APP
    assert permission["access-control-allow-credentials"] == "true"
    assert permission["vary"] == "origin"
    assert "x-request-id" in permission["access-control-expose-headers"]


def test_any_origin() -> None:
    permission = dict(CorsPolicy(Cors(origins=("*",))).permission("https://who.example"))
    assert permission["access-control-allow-origin"] == "*"
    assert "vary" not in permission


def test_another_origin_gets_no_permission_but_caches_are_told() -> None:
    assert CorsPolicy(Cors(origins=(APP,))).permission("https://evil.example") == (("vary", "origin"),)
    assert CorsPolicy(Cors()).permission(APP) == ()


def test_preflight() -> None:
    policy = CorsPolicy(Cors(origins=(APP,), methods=("GET", "POST"), headers=("content-type",), max_age_s=5))
    answer = dict(policy.preflight(APP))
    assert answer["access-control-allow-methods"] == "GET, POST"
    assert answer["access-control-allow-headers"] == "content-type"
    assert answer["access-control-max-age"] == "5"
    with pytest.raises(Forbidden):
        policy.preflight("https://evil.example")
    with pytest.raises(Forbidden):
        CorsPolicy(Cors()).preflight(APP)

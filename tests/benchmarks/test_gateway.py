"""What the gateway's steps cost a request that passes. The budget is 8 µs on the machine of docs/GATEWAY.md."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from pytest_benchmark.fixture import BenchmarkFixture

from flux.config import load
from flux.master.gateway.auth import ApiKey
from flux.master.gateway.pipeline import Gateway
from flux.master.gateway.request import Request
from tests.unit.master.gateway.specs import function, manifest

KEY = ApiKey("abcd1234", hashlib.sha256(b"s3cret").digest(), "acme", "billing")
LIVE = manifest(
    *(function(f"f{number}", f"POST /f{number}", f"GET /f{number}/:id") for number in range(100)),
    function("closed", "POST /closed", auth="api_key"),
)
USUAL = {
    "Host": "api.example.com",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, br",
    "Content-Type": "application/json",
    "Content-Length": "16",
}


def request(method: str, path: str, **headers: str) -> Request:
    return Request(method, path, CIMultiDictProxy(CIMultiDict({**USUAL, **headers})), "10.0.0.1", True, 16)


@pytest.mark.parametrize(
    ("sent", "overrides"),
    [
        pytest.param(request("POST", "/f50"), {}, id="static route"),
        pytest.param(request("GET", "/f50/42"), {}, id="parameter"),
        pytest.param(request("POST", "/closed", Authorization="Bearer flux_abcd1234_s3cret"), {}, id="api key"),
        pytest.param(
            request("POST", "/closed", Authorization="Bearer flux_abcd1234_s3cret", Origin="https://app.example"),
            {"cors.origins": ["https://app.example"], "rate_limit.rate": 1e9, "rate_limit.burst": 1_000_000_000},
            id="everything",
        ),
    ],
)
def test_gateway(benchmark: BenchmarkFixture, sent: Request, overrides: dict[str, Any]) -> None:
    settings = load(Path("/no/such/project"), overrides, {})
    gateway = Gateway(settings, LIVE, {KEY.id: KEY}, time.monotonic)
    decision = benchmark(gateway.decide, sent)
    assert decision.error is None

"""API keys, and the tenant that comes with one."""

from __future__ import annotations

import hashlib

import pytest

from flux.errors import Unauthenticated
from flux.master.gateway.auth import ApiKey, authenticate
from flux.master.gateway.tenant import bucket_of, tenant_of

KEY = ApiKey("abcd1234", hashlib.sha256(b"s3cret").digest(), "acme", "billing")
KEYS = {KEY.id: KEY}
TEXT = "flux_abcd1234_s3cret"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TEXT}"},
        {"authorization": f"bearer  {TEXT} "},
        {"x-api-key": TEXT},
        {"authorization": "Basic dTpw", "x-api-key": TEXT},
    ],
)
def test_a_key_is_found(headers: dict[str, str]) -> None:
    assert authenticate(headers, KEYS) is KEY


@pytest.mark.parametrize(
    "text",
    [
        "flux_abcd1234_wrong",
        "flux_abcd1234_",
        "flux_abcd1234",
        "abcd1234_s3cret",
        "flux_nobody00_s3cret",
        "flux_nobody00_",
        "",
        "flux_",
        "flux__",
        "\udcff\udcfe",
        "flux_abcd1234_é",
    ],
)
def test_anything_else_is_not(text: str) -> None:
    with pytest.raises(Unauthenticated, match="not known") as caught:
        authenticate({"x-api-key": text}, KEYS)
    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic dTpw"}, {"authorization": "Bearer"}])
def test_no_key_says_how_to_send_one(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated, match="x-api-key"):
        authenticate(headers, KEYS)


def test_authorization_goes_before_x_api_key() -> None:
    with pytest.raises(Unauthenticated):
        authenticate({"authorization": "Bearer nonsense", "x-api-key": TEXT}, KEYS)


def test_tenant_and_bucket() -> None:
    without = KEY._replace(tenant=None)
    assert (tenant_of(None), tenant_of(KEY), tenant_of(without)) == (None, "acme", None)
    assert bucket_of(None, "10.0.0.1") == "@10.0.0.1"
    assert bucket_of(KEY, "10.0.0.1") == "=acme"
    assert bucket_of(without, "10.0.0.1") == "#abcd1234"

"""Who asks, as policies see it."""

from __future__ import annotations

from flux.data.policy.model import Caller, caller_of


def test_nobody() -> None:
    assert caller_of(None, None) == Caller(role="anon")
    assert caller_of(None, "acme") == Caller(role="anon", tenant="acme")


def test_a_user_and_his_claims() -> None:
    caller = caller_of({"id": "7", "role": "editor", "org": {"id": 3}}, "acme")
    assert caller == Caller(role="editor", uid="7", tenant="acme", claims={"org": {"id": 3}})
    assert caller.fact(("claims", "org", "id")) == 3
    assert caller.fact(("claims", "org", "id", "deeper")) is None
    assert caller.fact(("uid",)) == "7"


def test_the_functions_role_goes_before_the_callers() -> None:
    assert caller_of({"id": "7", "role": "editor"}, None, "service").role == "service"
    assert caller_of(None, None, "service").role == "service"
    assert caller_of({"id": "7"}, None).role == "authenticated"

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import orjson
from hypothesis import given
from hypothesis import strategies as st

from flux.data.policy.assemble import assemble
from flux.data.policy.model import Caller
from flux.data.policy.rls.condition import constant, name
from flux.data.policy.rls.names import login_name, principal_of, principals
from flux.data.policy.rls.token import job_token, login_password, scram_verifier, token

from .tables import SCHEMA


@given(st.text(), st.text(), st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
def test_nothing_of_a_caller_stands_in_the_token_as_it_is(role: str, uid: str, claims: dict[str, str]) -> None:
    caller = Caller(role=_utf8(role), uid=_utf8(uid), claims={_utf8(k): _utf8(v) for k, v in claims.items()})
    signed = token(caller, pid=7, key=bytes(32), now=0.0, identity="it's")
    match = re.fullmatch(r"[0-9a-f]{64}\.([A-Za-z0-9+/=]*)", signed)
    assert match is not None
    content = orjson.loads(base64.b64decode(match[1]))
    assert (content["uid"], content["pid"], content["identity"]) == (caller.uid, 7, "it's")


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def test_tokens_differ_by_all_that_they_hold() -> None:
    caller = Caller(role="member", uid="7")
    made = {
        token(caller, pid=1, key=b"a" * 32, now=0),
        token(caller, pid=2, key=b"a" * 32, now=0),
        token(caller, pid=1, key=b"b" * 32, now=0),
        token(caller, pid=1, key=b"a" * 32, now=100),
        token(caller, pid=1, key=b"a" * 32, now=0, identity="x"),
    }
    assert len({each[:64] for each in made}) == 5


def test_passwords() -> None:
    assert login_password(b"a" * 32) != login_password(b"b" * 32)
    # RFC 7677 has this salt and these iterations for "pencil".
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    verifier = scram_verifier("pencil", salt)
    assert verifier.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    assert verifier.endswith(":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")


def test_names_of_roles() -> None:
    policies = assemble({"users": {"member": {"select": True}, "x" * 63: {"select": True}}}, SCHEMA).policies
    login = login_name("a database's name")
    made = principals(login, policies)
    assert len({each.name for each in made}) == len(made) == 3
    assert all(len(each.name) < 64 for each in made)
    assert principal_of(login, "member", policies) in {each.name for each in made if each.roles == {"member"}}
    assert principal_of(login, "nobody", policies) == f"{login}_others"
    assert principal_of("own", "member", policies, single=True) == "own"


def test_quoting() -> None:
    assert name('a"b') == '"a""b"'
    assert constant("it's") == "'it''s'"
    assert constant("a\\'b") == " E'a\\\\''b'"


def test_a_job_is_signed_like_a_caller() -> None:
    signed = job_token({"function": "f", "payload": '"ä"'}, pid=7, key=b"a" * 32, now=100.5)
    signature, payload = signed.split(".")
    assert hmac.new(b"a" * 32, payload.encode(), hashlib.sha256).hexdigest() == signature
    assert orjson.loads(base64.b64decode(payload)) == {
        "job": {"function": "f", "payload": '"ä"'},
        "pid": 7,
        "until": 130,
    }

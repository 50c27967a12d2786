from __future__ import annotations

from typing import Any

import pytest

from flux.data.policy.document import MAX_ROLES, read_document
from flux.data.policy.model import Grant, Operation
from flux.data.query.model import ALWAYS, Auth, Compare, Target
from flux.failure import HostError

from .tables import SCHEMA, USERS

OWN = Compare(Target("id"), "eq", Auth(("uid",)))
EVERYTHING = {("select", Grant()), ("insert", Grant()), ("update", Grant()), ("delete", Grant())}


def grants(document: Any, table: str = "users") -> dict[tuple[str, Operation], Grant]:
    return dict(read_document(table, document, SCHEMA).grants)


def test_a_whole_document() -> None:
    policy = read_document(
        "users",
        {
            "masked": ["password_hash"],
            "admin": {"preset": "full"},
            "member": {
                "select": {"columns": ["id", "email"], "where": "id = $auth.uid"},
                "update": {"columns": ["email"], "where": "id = $auth.uid", "check": "true"},
            },
            "*": {"select": {"columns": {"except": ["password_hash", "initials"]}}},
        },
        SCHEMA,
    )
    assert policy.masked == {"password_hash"}
    assert policy.grants["member", "select"] == Grant(readable=frozenset(("id", "email")), where=OWN)
    changed = Grant(readable=frozenset(("id", "email")), writable=frozenset(("email",)), where=OWN, check=ALWAYS)
    assert policy.grants["member", "update"] == changed
    assert policy.grants["*", "select"].readable == frozenset(USERS.columns) - {"password_hash"}
    assert {(operation, grant) for (role, operation), grant in policy.grants.items() if role == "admin"} == EVERYTHING
    assert ("member", "delete") not in policy.grants


def test_a_document_that_grants_nothing_denies_all() -> None:
    assert grants({}) == grants({"masked": ["email"]}) == grants({"member": {}}) == {}


def test_what_a_write_answers_is_what_the_role_reads() -> None:
    found = grants({"member": {"insert": True, "delete": True}, "*": {"select": {"columns": ["id"]}}})
    assert found["member", "insert"].readable == found["member", "delete"].readable == frozenset(("id",))
    assert grants({"member": {"insert": True}})["member", "insert"].readable == frozenset()


@pytest.mark.parametrize(
    ("preset", "granted"),
    [
        ("full", {"select", "insert", "update", "delete"}),
        ("read_only", {"select"}),
        ("public_read", {"select"}),
        ("owner(id)", {"select", "insert", "update", "delete"}),
        (' tenant ( "tenant" ) ', {"select", "insert", "update", "delete"}),
    ],
)
def test_presets_of_a_role(preset: str, granted: set[str]) -> None:
    assert {operation for role, operation in grants({"member": {"preset": preset}}) if role == "member"} == granted


def test_the_owner_preset() -> None:
    found = grants({"preset": "owner(id)"})
    assert found["authenticated", "select"] == found["authenticated", "delete"] == Grant(where=OWN)
    assert found["authenticated", "insert"] == Grant(check=OWN)
    assert found["authenticated", "update"] == Grant(where=OWN, check=OWN)
    assert all(role == "authenticated" for role, _ in found)


def test_presets_of_a_table_add_up() -> None:
    found = grants({"preset": ["owner(author_id)", "public_read"]}, "posts")
    assert found["*", "select"] == found["authenticated", "select"] == Grant()
    assert found["authenticated", "update"].where != ALWAYS
    assert ("*", "update") not in found


def test_an_operation_goes_before_the_preset_of_its_role() -> None:
    found = grants({"member": {"preset": "full", "delete": {"where": "id = $auth.uid"}}})
    assert found["member", "delete"].where == OWN
    assert found["member", "update"].where == ALWAYS


WRONG: list[tuple[Any, str]] = [
    ([], "must be an object"),
    (
        {"maskd": ["email"]},
        'maskd: must be a table: [maskd] with preset = "...", or [maskd.select]. Did you mean "masked"',
    ),
    ({"masked": ["emial"]}, 'masked: no column "emial". Did you mean "email"?'),
    ({"masked": "email"}, "masked: must be a list of columns"),
    ({"preset": 1}, "preset: must be"),
    ({"preset": "fll"}, 'preset: unknown preset "fll". Did you mean "full"?'),
    ({"preset": "owner"}, 'preset: needs a column: "owner(column)"'),
    ({"preset": "owner(usr)"}, 'preset: table "users" has no column "usr"'),
    ({"preset": "full(id)"}, "takes no column"),
    ({"preset": "tenant(settings)"}, "single value"),
    ({"preset": ["owner(id)", "tenant(tenant)"]}, "in different ways"),
    ({"a b": {}}, "a b: roles are"),
    ({"admin": "full"}, "admin: must be a table"),
    ({"member": {"selct": True}}, 'member.selct: unknown key. Did you mean "select"?'),
    ({"member": {"select": False}}, "member.select: must be true, or a table"),
    ({"member": {"select": {"wher": ""}}}, 'member.select.wher: unknown key. Did you mean "where"?'),
    ({"member": {"insert": {"where": "true"}}}, 'use "check"'),
    ({"member": {"select": {"check": "true"}}}, 'use "where"'),
    ({"member": {"delete": {"columns": "*"}}}, "Rows are deleted whole"),
    ({"member": {"select": {"columns": ["emial"]}}}, 'member.select.columns: no column "emial"'),
    ({"member": {"select": {"columns": {"except": ["emial"]}}}}, 'member.select.columns.except: no column "emial"'),
    ({"member": {"select": {"columns": {"but": []}}}}, "member.select.columns: must be"),
    ({"member": {"update": {"columns": ["initials"]}}}, 'member.update.columns: no column "initials"'),
    ({"member": {"select": {"where": True}}}, "member.select.where: must be a condition in quotes"),
    ({"member": {"update": {"check": "emial = 'x'"}}}, "member.update.check: at character 1: "),
    ({f"r{number}": {} for number in range(MAX_ROLES + 1)}, "51 roles"),
]


@pytest.mark.parametrize(("document", "told"), WRONG)
def test_what_is_wrong_is_said_with_its_key(document: Any, told: str) -> None:
    with pytest.raises(HostError) as caught:
        read_document("users", document, SCHEMA)
    assert (caught.value.code, caught.value.status) == ("POLICY_INVALID", 400)
    assert told in caught.value.message


def test_unknown_tables() -> None:
    with pytest.raises(HostError) as caught:
        read_document("user", {}, SCHEMA)
    assert caught.value.code == "UNKNOWN_TABLE"

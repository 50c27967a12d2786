from __future__ import annotations

import dataclasses

import pytest

from flux.data.policy.assemble import assemble, check
from flux.data.policy.explain import explain, explain_table
from flux.data.policy.model import UNRESTRICTED, Caller
from flux.data.policy.raw_sql import may_use_sql, require_sql
from flux.failure import HostError

from .tables import SCHEMA

USERS = {"member": {"select": {"columns": ["id"], "where": "id = $auth.uid or exists(posts where public)"}}}


def test_tables_without_a_document_are_open_and_others_deny_by_default() -> None:
    made = assemble({"users": USERS}, SCHEMA)
    assert made.problems == {}
    assert made.policies.grant("posts", "anybody", "delete") is UNRESTRICTED
    assert made.policies.grant("users", "anybody", "select") is None
    assert made.policies.grant("users", "member", "delete") is None


def test_a_document_that_no_longer_fits_closes_its_table_and_stays_masked() -> None:
    made = assemble({"users": {"masked": ["gone", "email"], "member": {"preset": "full"}}, "old": {}}, SCHEMA)
    assert 'no column "gone"' in made.problems["users"]
    assert 'no table "old"' in made.problems["old"]
    assert made.policies.grant("users", "member", "select") is None
    assert "email" in made.policies.masked("users")


def test_the_version_is_that_of_documents_and_schema() -> None:
    first = assemble({"users": USERS, "posts": {}}, SCHEMA).policies.version
    assert assemble({"posts": {}, "users": USERS}, SCHEMA).policies.version == first
    others = {
        assemble({"users": USERS}, SCHEMA).policies.version,
        assemble({"users": {**USERS, "masked": []}, "posts": {}}, SCHEMA).policies.version,
        assemble({"users": USERS, "posts": {}}, dataclasses.replace(SCHEMA, version="2")).policies.version,
    }
    assert len(others | {first}) == 4
    assert assemble({}, SCHEMA).policies.version == ""


def reading(where: str) -> dict[str, object]:
    return {"member": {"select": {"where": where}}}


def test_conditions_that_depend_on_themselves() -> None:
    made = assemble({"users": reading("exists(posts)"), "posts": reading("exists(author)")}, SCHEMA)
    assert "users -> posts -> users" in made.problems["users"]
    assert made.policies.grant("posts", "member", "select") is None
    with pytest.raises(HostError, match="depends on itself"):
        check({"posts": reading("exists(author)")}, "users", reading("exists(posts)"), SCHEMA)
    # Different roles do not meet; nor do tables that the role reads whole.
    other = {"admin": {"select": {"where": "exists(author)"}}, "member": {"preset": "full"}}
    assert assemble({"users": reading("exists(posts)"), "posts": other}, SCHEMA).problems == {}


def test_a_write_may_not_depend_on_itself_either() -> None:
    users = {"member": {"select": {"where": "id = $auth.uid"}, "update": {"where": "exists(posts)"}}}
    assert "users" in assemble({"users": users, "posts": reading("exists(author)")}, SCHEMA).problems
    assert assemble({"users": users, "posts": reading("public")}, SCHEMA).problems == {}


def test_explain() -> None:
    policies = assemble({"users": {**USERS, "*": {"insert": {"check": "age > 3"}}}}, SCHEMA).policies
    seen = explain(policies, "users", "member", "select")
    assert (seen.by, seen.columns, seen.where) == ("member", ("id",), "id = $auth.uid or exists(posts where public)")
    made = explain(policies, "users", "member", "insert")
    assert (made.by, made.where, made.check) == ("*", None, "age > 3")
    assert not explain(policies, "users", "member", "update").allowed
    assert explain(policies, "posts", "member", "update").by is None
    assert [(each.role, each.operation, each.allowed) for each in explain_table(policies, "users")] == [
        *(("member", "select", True), ("member", "insert", True), ("member", "update", False)),
        *(("member", "delete", False), ("*", "select", False), ("*", "insert", True)),
        *(("*", "update", False), ("*", "delete", False)),
    ]


def test_facts_of_a_caller() -> None:
    caller = Caller(role="member", uid="7", claims={"org": {"id": 3}})
    assert caller.fact(("uid",)) == "7"
    assert caller.fact(("claims", "org", "id")) == 3
    assert caller.fact(("claims", "org", "id", "more")) is None


@pytest.mark.parametrize("has_policies", [False, True])
@pytest.mark.parametrize("project", ["", "all", "granted"])
@pytest.mark.parametrize("function", [None, False, True])
def test_who_may_use_raw_sql(has_policies: bool, project: str, function: bool | None) -> None:
    policies = assemble({"users": {}} if has_policies else {}, SCHEMA).policies
    by_project = project == "all" or (project == "" and not has_policies)
    expected = by_project if function is None else function
    assert may_use_sql(function=function, project=project, policies=policies) is expected  # type: ignore[arg-type]  # parametrized
    if not expected:
        with pytest.raises(HostError) as caught:
            require_sql("f", function=function, project=project, policies=policies)  # type: ignore[arg-type]  # parametrized
        assert (caught.value.code, caught.value.status) == ("SQL_NOT_GRANTED", 403)

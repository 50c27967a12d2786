"""Three tables made by hand, as introspection would make them, and queries compiled against them."""

from __future__ import annotations

from typing import Any

from flux.data.compiler import Plan, compile
from flux.data.guard import Guard
from flux.data.policy.model import NO_POLICIES, Grant, Operation, Policies, TablePolicy
from flux.data.query import parse
from flux.data.schema.model import Column, Computed, Index, Relation, Schema, Table
from flux.data.types.codec import codec
from flux.data.types.family import family


def column(name: str, kind: str, sql: str, **more: Any) -> Column:
    return Column(
        name=name,
        codec=codec(kind, sql=sql + ("[]" if more.get("array") else ""), array=more.pop("array", False)),
        type=sql,
        family=more.pop("family", family(kind)),
        **more,
    )


def bigint(name: str, **more: Any) -> Column:
    return column(name, "int8", "bigint", **more)


def text(name: str, **more: Any) -> Column:
    return column(name, "text", "text", **more)


def table(name: str, *columns: Column, **more: Any) -> Table:
    return Table(schema="public", name=name, columns={each.name: each for each in columns}, key=("id",), **more)


def relation(name: str, target: str, here: str, there: str, *, many: bool) -> Relation:
    return Relation(
        name=name, constraint=f"{name}_fkey", target=target, columns=(here,), target_columns=(there,), many=many
    )


USERS = table(
    "users",
    bigint("id", nullable=False, default="nextval()"),
    text("email", nullable=False),
    text("org"),
    column("age", "int4", "integer"),
    column("settings", "jsonb", "jsonb"),
    column("period", "", "int4range", family="range"),
    column("tags", "text", "text", array=True, family="array"),
    text("label", generated="stored"),
    relations={"posts": relation("posts", "posts", "id", "author_id", many=True)},
    indexes=(Index(name="users_email_key", columns=("email",), unique=True),),
    computed={
        "full_name": Computed(
            name="full_name",
            schema="public",
            function="full_name",
            codec=codec("text", sql="text"),
            type="text",
            family="text",
        )
    },
)
POSTS = table(
    "posts",
    bigint("id", nullable=False, default="nextval()"),
    bigint("author_id", nullable=False),
    text("title", nullable=False),
    text("state"),
    relations={"author": relation("author", "users", "author_id", "id", many=False)},
)
SCHEMA = Schema(tables={"users": USERS, "posts": POSTS})
ROLE = "member"


def planned(document: dict[str, Any], policies: Policies = NO_POLICIES, *, record: bool = False) -> Plan:
    query, _ = parse(document)
    return compile(query, SCHEMA, policies, ROLE, guard=Guard(), record=record)


def protected(**tables: dict[Operation, Grant]) -> Policies:
    return Policies(
        tables={
            name: TablePolicy(table=name, grants={(ROLE, operation): grant for operation, grant in grants.items()})
            for name, grants in tables.items()
        }
    )


def json_of(name: str, alias: str = "t") -> str:
    """What stands for the value of a column in a row's JSON text: of a bigint, else of a text."""
    sql = f'{alias}."{name}"'
    if name != "id":
        return f"coalesce(to_json({sql}), 'null')"
    return (
        f"coalesce(CASE WHEN {sql} BETWEEN -9007199254740991 AND 9007199254740991 THEN {sql}::text "
        f"WHEN {sql} IS NOT NULL THEN concat('\"', {sql}, '\"') END, 'null')"
    )


# The JSON text of a row of which only the key is asked for: of one among others, and of the only one.
KEY = f"""'{{"id":' || {json_of("id")}::text || '}}'"""
ONLY_KEY = f"""concat('{{"id":', {json_of("id")}, '}}')"""

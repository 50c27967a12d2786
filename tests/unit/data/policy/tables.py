"""A schema as a value, for tests of policies: users, teams, members and posts."""

from __future__ import annotations

from flux.data.schema.model import Column, Computed, Family, Relation, Schema, Table
from flux.data.types.codec import codec


def column(
    name: str, type_: str, family: Family, *, base: str = "", array: bool = False, enum: tuple[str, ...] = ()
) -> Column:
    base = base or type_
    return Column(name=name, codec=codec(base, sql=type_, array=array), type=type_, family=family, enum=enum)


def one(name: str, target: str, column: str) -> Relation:
    return Relation(
        name=name,
        constraint=f"{name}_fkey",
        target=target,
        columns=(column,),
        target_columns=("id",),
        many=False,
    )


def many(name: str, target: str, column: str) -> Relation:
    return Relation(
        name=name,
        constraint=f"{target}_{name}_fkey",
        target=target,
        columns=("id",),
        target_columns=(column,),
        many=True,
    )


def table(name: str, *columns: Column, relations: tuple[Relation, ...] = (), **more: Computed) -> Table:
    return Table(
        schema="public",
        name=name,
        columns={each.name: each for each in columns},
        key=("id",),
        relations={each.name: each for each in relations},
        computed=more,
    )


ID = column("id", "uuid", "uuid")
USERS = table(
    "users",
    ID,
    column("email", "text", "text"),
    column("password_hash", "text", "text"),
    column("tenant", "text", "text"),
    column("age", "integer", "number", base="int4"),
    column("score", "numeric(10,2)", "number", base="numeric"),
    column("admin", "boolean", "boolean", base="bool"),
    column("status", "status", "other", base="enum", enum=("draft", "live")),
    column("tags", "text[]", "array", base="text", array=True),
    column("settings", "jsonb", "json"),
    column("period", "tstzrange", "range"),
    column("created_at", "timestamp with time zone", "time", base="timestamptz"),
    column("order", "integer", "number", base="int4"),
    relations=(many("posts", "posts", "author_id"), many("members", "members", "user_id")),
    initials=Computed(
        name="initials",
        schema="public",
        function="initials",
        codec=codec("text", sql="text"),
        type="text",
        family="text",
    ),
)
TEAMS = table("teams", ID, column("name", "text", "text"), relations=(many("members", "members", "team_id"),))
MEMBERS = table(
    "members",
    ID,
    column("user_id", "uuid", "uuid"),
    column("team_id", "uuid", "uuid"),
    column("role", "text", "text"),
    relations=(one("user", "users", "user_id"), one("team", "teams", "team_id")),
)
POSTS = table(
    "posts",
    ID,
    column("author_id", "uuid", "uuid"),
    column("title", "text", "text"),
    column("public", "boolean", "boolean", base="bool"),
    relations=(one("author", "users", "author_id"),),
)
SCHEMA = Schema(tables={each.name: each for each in (USERS, TEAMS, MEMBERS, POSTS)}, version="1")

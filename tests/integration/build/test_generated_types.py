"""What `flux generate` writes: right functions pass the build's check, wrong ones do not."""

from __future__ import annotations

import asyncpg
import pytest

from flux.build import build_functions
from flux.build.declarations import query_types
from flux.build.schemas import read_schemas
from flux.build.sdk import GENERATED_TYPES, QUERY_TYPES, sdk_folder
from flux.data.schema.introspect import read_schema
from flux.data.schema.typescript import declarations
from flux.errors import BuildFailed

from .conftest import Workbench

DATABASE = """
    CREATE TYPE plan AS ENUM ('free', 'pro');
    CREATE TABLE users (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        email text NOT NULL UNIQUE,
        plan plan NOT NULL DEFAULT 'free',
        balance numeric(12, 2),
        score double precision NOT NULL DEFAULT 0,
        settings jsonb NOT NULL DEFAULT '{}',
        tags text[] NOT NULL DEFAULT '{}',
        "odd-name" int,
        created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE posts (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        author_id bigint NOT NULL REFERENCES users,
        title text NOT NULL,
        words int GENERATED ALWAYS AS (length(title)) STORED
    );
    CREATE FUNCTION headline(posts) RETURNS text LANGUAGE sql STABLE AS $$ SELECT upper($1.title) $$;
    CREATE MATERIALIZED VIEW titles AS SELECT title FROM posts;
    COMMENT ON COLUMN users.balance IS 'In euros. */ Really.';
"""

RIGHT = """
import { defineFunction } from "flux";
export default defineFunction({
  async handler({ ctx }) {
    const user = await ctx.db.users.insert({ email: "ada@example.com", balance: 12.5, "odd-name": null });
    const id: number | string = user.id;
    const balance: string | null = user.balance;
    const plan: "free" | "pro" = user.plan;
    await ctx.db.users.insertMany([{ email: "a", plan: "pro", created_at: new Date(0), settings: { a: [1] } }]);
    const [post] = await ctx.db.posts.find(
      { author: { some: { plan: { in: ["pro"] } } }, or: [{ title: "x" }, { headline: { like: "A%" }, words: 3 }] },
      { select: { title: true, shout: "headline", author: { columns: ["email"] } }, order_by: { title: "desc" } },
    );
    const title: string = post.title;
    const shout: string | null = post.shout;
    const email: string | undefined = post.author?.email;
    const writers = await ctx.db.users.find({ posts: { some: { title: "x" } } }, {
      select: { email: true, posts: { select: { title: true }, limit: 3 }, theme: "settings->>theme" },
    });
    const first: string = writers[0].posts[0].title;
    const theme: string | null = writers[0].theme;
    const narrow = await ctx.db.users.findById(id, { columns: ["email", "tags"] });
    const tags: string[] = narrow!.tags;
    const stored = await ctx.db.users.update({ id }, { plan: "free" }, { returning: ["plan"] });
    const now: "free" | "pro" = stored[0].plan;
    await ctx.db.users.upsert({ email: "b" }, { on_conflict: ["email"] });
    await ctx.db.users.aggregate({ users: "count", total: { sum: "balance" } }, { group_by: ["plan"] });
    await ctx.db.transaction(async (tx) => {
      await tx.posts.insert({ author_id: id, title: "First" });
    });
    return { balance, plan, title, shout, email, first, theme, tags, now };
  },
});
"""

# What must not compile, and the name that the error must hold.
WRONG = {
    "a column that does not exist": ('ctx.db.users.insert({ email: "a", emial: "b" })', "emial"),
    "a column that is required": ('ctx.db.users.insert({ plan: "pro" })', "email"),
    "a type that is not the column's": ("ctx.db.users.insert({ email: 5 })", "string"),
    "a label that the enumeration has not": ('ctx.db.users.insert({ email: "a", plan: "gold" })', "gold"),
    "a column that the database fills in": ('ctx.db.posts.insert({ author_id: 1, title: "a", words: 2 })', "words"),
    "an identity": ('ctx.db.users.insert({ id: 1, email: "a" })', "id"),
    "null where there must be a value": ("ctx.db.users.update({ id: 1 }, { email: null })", "null"),
    "a filter by what does not exist": ('ctx.db.users.find({ nmae: "x" })', "nmae"),
    "an operator that does not exist": ('ctx.db.users.find({ email: { lik: "x" } })', "lik"),
    "a relation's column": ("ctx.db.users.find({ posts: { some: { nope: 1 } } })", "nope"),
    "an order by what does not exist": ('ctx.db.users.find({}, { order_by: "nope" })', "nope"),
    "columns that do not exist": ('ctx.db.users.find({}, { columns: ["nope"] })', "nope"),
    "a table that does not exist": ('ctx.db.usres.find({ email: "a" })', "usres"),
    "writing a materialized view": ('ctx.db.titles.insert({ title: "a" })', "never"),
}


@pytest.fixture
async def generated(empty_url: str) -> str:
    conn = await asyncpg.connect(empty_url)
    try:
        await conn.execute(DATABASE)
        text = declarations(await read_schema(conn))
        assert text == declarations(await read_schema(conn))
        return text
    finally:
        await conn.close()


def wrong(call: str) -> str:
    imported = 'import { defineFunction } from "flux";'
    return f"{imported}\nexport default defineFunction({{ handler: ({{ ctx }}) => {call} }});\n"


async def test_right_and_wrong_functions(workbench: Workbench, generated: str) -> None:
    names = {f"wrong{at}": case for at, case in enumerate(WRONG)}
    workbench.write(
        {GENERATED_TYPES: generated, "functions/right.ts": RIGHT}
        | {f"functions/{name}.ts": wrong(WRONG[case][0]) for name, case in names.items()}
    )
    outcome = await build_functions(workbench.project)
    told = {
        name: "\n".join(f"{error.message}" for error in outcome.errors if error.file == f"functions/{name}.ts")
        for name in (*names, "right")
    }
    assert told.pop("right") == ""
    assert "right" in outcome.manifest.functions
    assert {names[name]: WRONG[names[name]][1] in text for name, text in told.items()} == dict.fromkeys(WRONG, True), (
        told
    )


async def test_types_that_change_are_checked_again(workbench: Workbench, generated: str) -> None:
    workbench.write({GENERATED_TYPES: generated, "functions/a.ts": wrong('ctx.db.users.insert({ email: "a" })')})
    assert not (await build_functions(workbench.project)).errors
    workbench.write({GENERATED_TYPES: generated.replace("email", "mail")})
    outcome = await build_functions(workbench.project)
    assert outcome.broken == {"a"}


async def test_the_query_types_are_up_to_date() -> None:
    written = (sdk_folder() / QUERY_TYPES).read_text("utf-8")
    assert written == await query_types(), "python -m flux.build.declarations"


async def test_schemas_are_evaluated_without_permissions(workbench: Workbench) -> None:
    workbench.write(
        {
            "schemas/a.schema.ts": 'import { column, defineSchema, table } from "flux";\n'
            "export default defineSchema({ tables: { a: table({ id: column.uuid().primaryKey() }) } });\n",
        }
    )
    [(file, document)] = await read_schemas(workbench.project)
    assert file == "schemas/a.schema.ts"
    assert document["tables"]["a"]["columns"] == {"id": {"type": "uuid", "primaryKey": True}}
    workbench.write({"schemas/b.schema.ts": 'export default Deno.readTextFileSync("/etc/hostname");\n'})
    with pytest.raises(BuildFailed, match="read access"):
        await read_schemas(workbench.project)


async def test_schemas_are_type_checked(workbench: Workbench) -> None:
    workbench.write(
        {
            "schemas/a.schema.ts": 'import { column, defineSchema, table } from "flux";\n'
            "export default defineSchema({ tables: {\n"
            '  a: table({ id: column.uuid() }, { primaryKey: ["nope"] }),\n} });\n',
        }
    )
    with pytest.raises(BuildFailed, match="nope"):
        await read_schemas(workbench.project)

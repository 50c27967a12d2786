"""The SDK's types: what must compile does, what must not does not."""

from __future__ import annotations

from flux.build import build_functions
from flux.build.declarations import declarations
from flux.build.sdk import sdk_folder

from .conftest import Workbench

# A Standard Schema written out, so that this needs no package.
SCHEMA = """
import type { Schema } from "flux";
export function object<T>(): Schema<T, T> {
  return { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as T }) } };
}
"""

USES = """
import { defineFunction, type Context, type FetchFunction, type PlainFunction } from "flux";
import { object } from "../lib/schema.ts";

declare module "flux" {
  interface Tables {
    users: { id: number; email: string; age: number };
  }
}

export const untyped = defineFunction({ handler: async ({ input, ctx }) => ({ a: input.anything, b: ctx.requestId }) });

export const fetching = { fetch: (request) => new Response(request.url) } satisfies FetchFunction;
export const plain = (async (input: { a: string }, ctx) => input.a + ctx.functionName) satisfies PlainFunction;

export default defineFunction({
  input: object<{ email: string }>(),
  output: object<{ id: number }>(),
  async handler({ input, ctx }) {
    const email: string = input.email;
    // @ts-expect-error: not in the schema
    input.name;
    const user = await ctx.db.users.findOne({ email, age: { gte: 18, in: [20, 30] } }, { order_by: { id: "desc" } });
    if (user === null) throw ctx.error(404, "NO_USER");
    const id: number = user.id;
    // @ts-expect-error: no such column
    await ctx.db.users.find({ name: "x" });
    // @ts-expect-error: the wrong type
    await ctx.db.users.insert({ age: "old" });
    // @ts-expect-error: the row has no such column
    user.name;
    const other = await ctx.db.undeclared.find({ anything: 1 });
    other[0].whatever;
    const rows = await ctx.db.sql<{ n: number }>("select $1::int as n", [1]);
    rows[0].n.toFixed();
    const job = await ctx.db.transaction(async (tx) => {
      await tx.users.update({ id }, { email });
      await tx.sql("select 1");
      return await tx.queue.push("send_welcome", { id }, { delay_ms: 100 });
    });
    job.job_id.length;
    await ctx.trace.span("work", async (inner: Context) => inner.sleep(1));
    const secret: string = ctx.redact(await ctx.secrets.get("KEY"));
    ctx.log.info("hello", { secret, env: ctx.env.STAGE, uuid: ctx.uuid() });
    const called: { ok: boolean } = await ctx.function.invoke("other", { a: 1 });
    const response = await ctx.fetch("https://example.com", { method: "POST" });
    return { id: called.ok ? response.status : id };
  },
});

defineFunction({
  output: object<{ id: number }>(),
  // @ts-expect-error: not what the output schema takes
  handler: () => ({ id: "one" }),
});
"""


async def test_types(workbench: Workbench) -> None:
    workbench.write({"lib/schema.ts": SCHEMA, "functions/a.ts": USES})
    outcome = await build_functions(workbench.project)
    assert [error.render() for error in outcome.errors] == []


async def test_the_declarations_are_those_of_the_source() -> None:
    assert (sdk_folder() / "flux.d.ts").read_text("utf-8") == await declarations()


async def test_types_are_placed_for_editors(workbench: Workbench) -> None:
    await build_functions(workbench.project)
    placed = workbench.project.builds.parent / "types" / "flux.d.ts"
    assert placed.read_bytes() == (sdk_folder() / "flux.d.ts").read_bytes()

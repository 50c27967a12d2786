// Engine, raw SQL and a job in one transaction, which fails at its end if it is told to.
export default async (input: any, ctx: any) =>
  await ctx.db.transaction(async (tx: any) => {
    const note = await tx.notes.insert({ owner: ctx.user.id, tenant: ctx.tenant, body: "by the engine" });
    await tx.sql("update notes set body = $1 where id = $2", ["by raw SQL", note.id]);
    const seen = await tx.sql("select body from notes where id = $1", [note.id]);
    await tx.queue.push("ungranted", {}, { delay_ms: 3_600_000 });
    if (input.fail) throw ctx.error(409, "TAKEN_BACK", "rolled back on purpose");
    return { id: note.id, seen };
  });

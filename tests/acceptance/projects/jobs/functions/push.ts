// Pushes a job, alone or together with a row, which may be taken back.
export default async (input: any, ctx: any) => {
  const { in_transaction, fails, payload, options } = input;
  if (!in_transaction) return await ctx.queue.push("flaky", payload, options ?? {});
  return await ctx.db.transaction(async (tx: any) => {
    await tx.attempts.insert({ job: `${payload.name} was pushed` });
    const job = await tx.queue.push("flaky", payload, options ?? {});
    if (fails) throw ctx.error(409, "TAKEN_BACK", "neither the row nor the job");
    return job;
  });
};

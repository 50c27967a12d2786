// Fails until it has been tried often enough.
export default async (input: { name: string; succeeds_at: number }, ctx: any) => {
  await ctx.db.attempts.insert({ job: input.name });
  const attempt = await ctx.db.attempts.count({ job: input.name });
  if (attempt < input.succeeds_at) throw ctx.error(503, "NOT_YET", `attempt ${attempt}`);
  return { attempt };
};

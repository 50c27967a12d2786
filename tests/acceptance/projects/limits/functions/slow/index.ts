// Waits for longer than it may.
export default async (_input: unknown, ctx: any) => {
  await ctx.sleep(1);
  await ctx.sleep(60_000);
};

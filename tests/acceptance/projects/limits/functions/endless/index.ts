// Never gives the CPU back.
export default async (_input: unknown, ctx: any) => {
  ctx.log.info("before the loop");
  await ctx.sleep(1);
  while (true) { /* for ever */ }
};

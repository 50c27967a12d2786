// Takes memory until there is none.
export default async (_input: unknown, ctx: any) => {
  await ctx.sleep(1);
  const hoard: unknown[] = [];
  while (true) hoard.push(new Array(1000).fill(hoard.length));
};

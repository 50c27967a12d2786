// Calls another function and waits for it.
export default async (input: { number: number }, ctx: any) => ({
  doubled: (await ctx.function.invoke("double", { number: input.number })).number,
});

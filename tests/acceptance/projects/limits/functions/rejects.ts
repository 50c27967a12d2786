// Leaves a rejected promise behind that nobody awaits.
export default async (_input: unknown, ctx: any) => {
  Promise.reject(new Error("nobody awaits me"));
  await ctx.sleep(1);
  return { fine: true };
};

// One query of the caller's.
export default async (input: any, ctx: any) => await ctx.db.query(input);

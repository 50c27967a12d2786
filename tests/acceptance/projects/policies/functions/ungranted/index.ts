export default async (input: any, ctx: any) => await ctx.db.sql("select 1");

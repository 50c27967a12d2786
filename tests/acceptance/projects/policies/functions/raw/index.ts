// Statements of the caller's, one after the other, each on its own: what it answered or why it was refused.
export default async (input: any, ctx: any) => {
  const answers = [];
  for (const [text, ...params] of input.statements) {
    try {
      answers.push(await ctx.db.sql(text, params));
    } catch (error: any) {
      answers.push(error.code);
    }
  }
  return answers;
};

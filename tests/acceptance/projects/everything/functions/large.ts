import { defineFunction } from "flux";

// The answer of this call is larger than what is recorded of one.
export default defineFunction({
  async handler({ ctx }) {
    const [{ text }] = await ctx.db.sql("select repeat('x', 300000) as text");
    return { length: text.length };
  },
});

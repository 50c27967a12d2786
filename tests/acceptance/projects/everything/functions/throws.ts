import { defineFunction } from "flux";

export default defineFunction({
  async handler({ input, ctx }) {
    const [{ chance }] = await ctx.db.sql("select random() as chance");
    if (input.deliberate) throw ctx.error(418, "TEAPOT", `short and stout: ${chance}`);
    throw new Error(`nobody planned this: ${chance}`);
  },
});

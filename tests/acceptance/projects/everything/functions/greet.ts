import { defineFunction } from "flux";

export default defineFunction({
  async handler({ ctx }) {
    await ctx.sleep(1);
    return { said: `hello at ${Date.now()}` };
  },
});

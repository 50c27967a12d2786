import { defineFunction } from "flux";
import { z } from "zod";

export default defineFunction({
  input: z.object({ id: z.number() }),
  async handler({ input, ctx }) {
    const user = await ctx.db.users.findById(input.id);
    return { sent: user !== null };
  },
});

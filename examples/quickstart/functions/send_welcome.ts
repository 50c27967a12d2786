import { defineFunction } from "flux";
import * as z from "zod";

// Pushed by create_user; runs as an execution of its own, and again if it throws.
export default defineFunction({
  input: z.object({ id: z.number() }),
  async handler({ input, ctx }) {
    const user = await ctx.db.users.findById(input.id);
    if (!user) throw ctx.error(404, "USER_NOT_FOUND", `there is no user ${input.id}`);
    // A mail service would be called here, with ctx.fetch.
    ctx.log.info("welcome", { email: user.email });
    await ctx.db.users.update({ id: user.id }, { welcomed_at: new Date() });
    return { welcomed: user.email };
  },
});

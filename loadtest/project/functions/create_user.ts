import { defineFunction } from "flux";
import { z } from "zod";

export default defineFunction({
  input: z.object({ email: z.string().email(), plan: z.enum(["free", "pro"]).default("free") }),
  output: z.object({ id: z.number() }),
  async handler({ input, ctx }) {
    const taken = await ctx.db.users.findOne({ email: input.email });
    if (taken) throw ctx.error(409, "EMAIL_TAKEN", "email already registered");
    const user = await ctx.db.users.insert(input);
    await ctx.queue.push("send_welcome", { id: user.id }, { delay_ms: Number(ctx.env.JOB_DELAY_MS) });
    return { id: user.id };
  },
});

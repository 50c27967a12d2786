import { defineFunction } from "flux";
import { z } from "zod";

export default defineFunction({
  input: z.object({ name: z.string() }),
  async handler({ input }) {
    return { message: `Hello, ${input.name}!` };
  },
});

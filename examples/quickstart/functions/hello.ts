import { defineFunction } from "flux";
import * as z from "zod";

export default defineFunction({
  input: z.object({ name: z.string().min(1).max(100) }),
  output: z.object({ message: z.string() }),
  handler: ({ input }) => ({ message: `Hello, ${input.name}` }),
});

// zod: input and output are checked, and typed.
import { defineFunction } from "flux";
import * as z from "zod";

const Item = z.object({ sku: z.string().regex(/^[A-Z]{3}-\d+$/), quantity: z.number().int().positive() });

export default defineFunction({
  input: z.object({
    items: z.array(Item).min(1),
    coupon: z.string().trim().toUpperCase().optional(),
  }),
  output: z.object({ pieces: z.number(), coupon: z.string().nullable() }),
  handler: ({ input }) => ({
    pieces: input.items.reduce((sum, item) => sum + item.quantity, 0),
    coupon: input.coupon ?? null,
  }),
});

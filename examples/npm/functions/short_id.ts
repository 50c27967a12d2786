// nanoid: its randomness is the request's own, so a replay makes the same IDs. The plain style of a function.
import type { Context } from "flux";
import { customAlphabet, nanoid } from "nanoid";

const digits = customAlphabet("0123456789", 6);

export default async (input: { length?: number }, ctx: Context) => ({
  id: nanoid(input.length),
  pin: digits(),
  request: ctx.requestId,
});

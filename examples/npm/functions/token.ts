// jose: signs a token and verifies it again (HS256, through crypto.subtle).
import { defineFunction } from "flux";
import { jwtVerify, SignJWT } from "jose";
import * as z from "zod";

export default defineFunction({
  input: z.object({ subject: z.string(), secret: z.string().min(32) }),
  async handler({ input }) {
    const key = new TextEncoder().encode(input.secret);
    const token = await new SignJWT({ role: "reader" })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject(input.subject)
      .setIssuedAt()
      .setExpirationTime("2h")
      .sign(key);
    const { payload } = await jwtVerify(token, key, { algorithms: ["HS256"] });
    return { token, subject: payload.sub, role: payload.role, expires_in: payload.exp! - payload.iat! };
  },
});

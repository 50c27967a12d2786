// Values that JSON, HTTP or the record could stumble over, one by one.
export default async (input: { kind: string }, ctx: any) => {
  const half = "\ud83d";
  switch (input.kind) {
    case "surrogate":
      ctx.log.info(half, { half });
      return { half, answer: (await ctx.db.sql("select $1::json as value", [{ text: "plain" }]))[0].value };
    case "thrown surrogate":
      throw new Error(`broken ${half}`);
    case "deliberate surrogate":
      throw ctx.error(400, "BROKEN", half);
    case "rejected surrogate":
      Promise.reject(new Error(half));
      await ctx.sleep(1);
      return "rejected";
    case "numbers":
      return [-0, 1e21, 1e-7, 0.1 + 0.2, 2 ** 53 + 2, Number.MAX_VALUE, 5e-324, 1e400, null];
    case "keys":
      return { b: 1, a: 2, 10: 3, 2: 4, "": 5, "__proto__": 6, "é\u2028\n": 7 };
    case "nothing":
      return undefined;
    case "response":
      return new Response("plain text", { status: 201, headers: { "content-type": "text/plain", "x-made": ctx.uuid() } });
    case "bytes":
      return new Response(new Uint8Array([0, 255, 254]), { headers: { "content-type": "application/octet-stream" } });
    case "error response":
      return Response.json({ error: { code: "MINE", message: "made by the function" } }, { status: 422 });
    case "empty":
      return new Response(null, { status: 204 });
    case "truncated":
      return "y".repeat(300_000);
  }
};

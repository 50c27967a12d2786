// Handles secrets in every way that could leave a trace of them.
export default async (input: { password: string; upstream: string }, ctx: any) => {
  const subtle = crypto.subtle;
  const token = await ctx.secrets.get("TOKEN");
  await ctx.db.sql("select $1::text as before", [input.password]);
  ctx.log.info("before", { password: input.password });
  ctx.redact(input.password);
  ctx.log.warn(`the token is ${token} and the password ${input.password}`);
  await fetch(input.upstream, { method: "POST", headers: { authorization: `Bearer ${token}` }, body: `a=${token}` });

  const raw = new TextEncoder().encode("raw key material".repeat(2));
  const imported = await subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
  const mac = await subtle.sign("HMAC", imported, new TextEncoder().encode("signed"));
  const jwk = await subtle.exportKey("jwk", imported);
  const pair: any = await subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const pkcs8 = new Uint8Array(await subtle.exportKey("pkcs8", pair.privateKey));
  const aes: any = await subtle.generateKey({ name: "AES-KW", length: 256 }, true, ["wrapKey", "unwrapKey"]);
  const wrapped = await subtle.wrapKey("raw", imported, aes, "AES-KW");
  const unwrapped = await subtle.unwrapKey(
    "raw", wrapped, aes, "AES-KW", { name: "HMAC", hash: "SHA-256" }, true, ["sign"],
  );
  const same = await subtle.sign("HMAC", unwrapped, new TextEncoder().encode("signed"));
  const base = await subtle.importKey("raw", raw, "PBKDF2", false, ["deriveBits"]);
  const bits = await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: new Uint8Array(16), iterations: 10 }, base, 256);

  const base64 = (bytes: ArrayBuffer | Uint8Array) => btoa(String.fromCharCode(...new Uint8Array(bytes as any)));
  return new Response(
    JSON.stringify({
      macs: [base64(mac), base64(same)],
      k: (jwk as any).k.length,
      pkcs8: pkcs8.length,
      bits: new Uint8Array(bits).length,
    }),
    { headers: { "content-type": "application/json" } },
  );
};

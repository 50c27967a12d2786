import { defineFunction } from "flux";

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

// Every source of chance, time and order there is, many of them at once, so that answers arrive in any order.
export default defineFunction({
  async handler({ input, ctx }) {
    const order: string[] = [];
    const noted = async <T>(name: string, work: Promise<T>): Promise<T> => {
      const value = await work;
      order.push(`${name} ${Math.random()} ${performance.now()}`);
      return value;
    };
    const upstream = async (path: string) => (await fetch(`${ctx.env.UPSTREAM}/${path}`)).json();
    const tick = (ms: number) => new Promise<number>((resolve) => setTimeout(() => resolve(Date.now()), ms));

    const before = {
      random: [Math.random(), Math.random()],
      bytes: hex(crypto.getRandomValues(new Uint8Array(16))),
      uuids: [crypto.randomUUID(), ctx.uuid()],
      times: [Date.now(), new Date().toISOString(), Date(), performance.now()],
    };
    ctx.log.info("before", { random: Math.random() });

    const together = await Promise.all([
      noted("fetch", upstream(`a/${input.number}`)),
      noted("other fetch", upstream(`b/${ctx.uuid()}`)),
      noted("insert", ctx.db.notes.insert({ number: input.number, text: ctx.uuid(), chance: Math.random() })),
      noted("sql", ctx.db.sql("select clock_timestamp() as now, random() as chance, $1::text as text", ["ä€😀\n"])),
      noted("find", ctx.db.notes.find({ number: { lte: input.number } }, { order_by: { id: "desc" }, limit: 3 })),
      noted("digest", crypto.subtle.digest("SHA-256", crypto.getRandomValues(new Uint8Array(8)))),
      noted("sleep", ctx.sleep(Math.random() * 8)),
      noted("timer", tick(Math.random() * 8)),
      noted("transaction", ctx.db.transaction(async (tx) => {
        const note = await tx.notes.insert({ number: input.number, text: "in a transaction", chance: Math.random() });
        const [{ count }] = await tx.sql("select count(*) from notes where number = $1", [input.number]);
        return { note, count };
      })),
    ]);
    const digest = hex(new Uint8Array(together[5] as ArrayBuffer));

    const first = await Promise.race([upstream("c").then(() => "upstream"), tick(3).then(() => "timer")]);
    const inSpan = await ctx.trace.span("later", async (inner) => {
      const found = await inner.db.notes.findOne({ number: input.number });
      await inner.sleep(1);
      return { found, at: Date.now(), uuid: inner.uuid() };
    });
    ctx.db.notes.insert({ number: input.number, text: "nobody waits for this one", chance: Math.random() });
    ctx.log.info("after", { first, order });
    return { before, together, digest, first, inSpan, order, after: [Date.now(), performance.now(), Math.random()] };
  },
});

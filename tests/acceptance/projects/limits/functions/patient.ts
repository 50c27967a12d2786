// Waits for as long as it may.
export default (_input: unknown, ctx: any) => ctx.sleep(20_000);

// Has more calls unanswered at once than it may.
export default async (input: { calls: number }, ctx: any) => {
  await Promise.all(Array.from({ length: input.calls }, () => ctx.sleep(5)));
  return { calls: input.calls };
};

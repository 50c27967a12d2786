export default (input: { number: number }, ctx: any) => {
  if (input.number < 0) throw ctx.error(422, "NEGATIVE", "only positive numbers");
  return { number: 2 * input.number };
};

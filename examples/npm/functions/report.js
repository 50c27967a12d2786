// lodash-es, in plain JavaScript.
import { groupBy, mapValues, orderBy, sumBy } from "lodash-es";

export default async ({ sales }) => {
  const totals = mapValues(groupBy(sales, "region"), (rows) => sumBy(rows, "amount"));
  return { totals, best: orderBy(Object.entries(totals), 1, "desc")[0]?.[0] ?? null };
};

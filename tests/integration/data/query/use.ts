// Queries that the types accept, and mistakes that they refuse. `query.ts` is what `typescript()` gives.
import type { Query, Where } from "./query.ts";

interface Users {
  id: number;
  email: string;
  age: number | null;
  settings: { theme: string };
  tags: string[];
}
interface Posts {
  id: number;
  title: string;
  user_id: number;
}
interface UsersLinks {
  posts: { row: Posts; links: PostsLinks };
}
interface PostsLinks {
  user: { row: Users; links: UsersLinks };
}

export const right: (Query<Users, UsersLinks> | Query)[] = [
  { table: "anything", where: { x: 1, y: { gt: 1 }, related: { some: { z: 1 } }, or: [{ x: null }] } },
  { table: "anything", select: { a: true, posts: { select: { b: true } } } },
];
export const select: Query<Users, UsersLinks> = {
  table: "users",
  select: {
    id: true,
    theme: "settings->>theme",
    posts: { columns: ["title"], where: { title: "x" }, order_by: "id", limit: 3 },
  },
  where: {
    id: 1,
    age: { gte: 3, not: { in: [1, null] } },
    tags: { eq: ["a"], contains: ["b"] },
    posts: { some: { title: "x", user: { none: { id: 1 } } } },
    or: [{ email: { like: { any: ["a"] } } }, { age: null }],
    "settings->>theme": "dark",
  },
  order_by: [{ id: "desc" }, "email", { "settings->a": { nulls: "last" } }],
  limit: 3,
};
export const aggregate: Query<Users> = {
  table: "users",
  operation: "aggregate",
  aggregates: { n: "count", s: { sum: "age", distinct: true } },
  group_by: ["email", { t: "settings->>theme" }],
  having: { n: { gt: 3 }, or: [{ n: 3 }] },
  order_by: { n: "desc" },
};
export const upsert: Query<Users> = {
  table: "users",
  operation: "upsert",
  data: [{ id: 1 }],
  on_conflict: { columns: ["id"], update: "nothing" },
};

type W = Where<Users, UsersLinks>;
export const wrong: (W | Query<Users>)[] = [];
// @ts-expect-error an unknown column
wrong.push({ emial: 1 } satisfies W);
// @ts-expect-error a value of another type
wrong.push({ id: "x" } satisfies W);
// @ts-expect-error an unknown operator
wrong.push({ id: { gtt: 1 } } satisfies W);
// @ts-expect-error a bare array
wrong.push({ tags: ["a"] } satisfies W);
// @ts-expect-error an unknown column of related rows
wrong.push({ posts: { some: { titel: "x" } } } satisfies W);
// @ts-expect-error an unknown key
wrong.push({ table: "users", wher: {} } satisfies Query<Users>);
// @ts-expect-error data is missing
wrong.push({ table: "users", operation: "insert" } satisfies Query<Users>);
// @ts-expect-error an unknown column to order by
wrong.push({ table: "users", order_by: "emial" } satisfies Query<Users>);

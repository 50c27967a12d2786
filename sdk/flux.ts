/**
 * What `import ... from "flux"` gives: `defineFunction`, the types of everything a function can do, and `defineSchema`.
 *
 * There is nothing in here but types and a mark: what `ctx` does is the runtime's, on the other side of the isolate.
 */

import type {
  AggregateQuery,
  Column,
  Links,
  Measure,
  Operators,
  Query,
  Row,
  SelectQuery,
  UpdateQuery,
  UpsertQuery,
  Where,
} from "./query.ts";

export { column, defineSchema, Sql, sql, table } from "./schema.ts";
export type { Links, Operators, Query, Row, Where } from "./query.ts";
export type {
  ColumnDefinition,
  ForeignKeyDefinition,
  IndexDefinition,
  ReferenceAction,
  ReferenceOptions,
  SchemaDefinition,
  TableDefinition,
  TableOptions,
  UniqueDefinition,
} from "./schema.ts";

// ---------------------------------------------------------------------------------------------------------------------
// Functions

/**
 * Defines a function. `input` and `output` take any schema that follows Standard Schema (zod, valibot, arktype ...):
 *
 * - the handler's `input` is what the input schema makes of the request: JSON body, query and path parameters, merged;
 *   an input that does not match is answered 422 with the violations, and the handler is not called;
 * - a result that does not match the output schema is answered 500 (OUTPUT_INVALID), and the record shows why.
 *
 * ```ts
 * export default defineFunction({
 *   input: z.object({ name: z.string() }),
 *   handler: ({ input }) => ({ message: `Hello, ${input.name}` }),
 * });
 * ```
 */
export function defineFunction<Input extends Schema = Schema<any>, Output extends Schema = Schema<any>>(
  definition: FunctionDefinition<Input, Output>,
): FunctionDefinition<Input, Output> {
  return Object.defineProperty(definition, Symbol.for("flux.function"), { value: true });
}

export interface FunctionDefinition<Input extends Schema = Schema<any>, Output extends Schema = Schema<any>> {
  /** Checks and converts the request; without it, `input` is the request as it came. */
  input?: Input;
  /** Checks and converts what the handler returns; without it, anything that JSON can hold is sent. */
  output?: Output;
  /** Returns the result, or a `Response` to decide status and headers (which no output schema looks at). */
  handler(call: Call<SchemaOutput<Input>>): Result<SchemaInput<Output>> | Promise<Result<SchemaInput<Output>>>;
}

export type Result<Output> = Output | Response;

/** What a handler is called with. */
export interface Call<Input> {
  input: Input;
  ctx: Context;
}

/** The plain style: `export default (async (input, ctx) => ...) satisfies PlainFunction`. */
export type PlainFunction<Input = any, Output = unknown> = (input: Input, ctx: Context) => Output | Promise<Output>;

/**
 * The fetch style, as routers such as Hono have it: `export default { fetch(request, ctx) { ... } }`. The context is given
 * twice, as the environment (`c.env.db` in Hono) and as what has `waitUntil` (`c.executionCtx`).
 */
export interface FetchFunction {
  fetch(request: Request, ctx: Context, executionCtx: Context): Response | Promise<Response>;
}

/** A schema as https://standardschema.dev defines it. */
export interface Schema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<SchemaIssue> };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** What a value must look like before the schema has seen it. */
export type SchemaInput<S extends Schema> = NonNullable<S["~standard"]["types"]>["input"];
/** What the schema makes of a value. */
export type SchemaOutput<S extends Schema> = NonNullable<S["~standard"]["types"]>["output"];

// ---------------------------------------------------------------------------------------------------------------------
// ctx

/**
 * What a function can do. Every call is recorded as a span of the request, with its input and output, and is answered
 * from the record when the request is replayed.
 */
export interface Context {
  /** The database: `ctx.db.users.findOne({ email })`, `ctx.db.sql(...)`, `ctx.db.transaction(...)`. */
  readonly db: Database;
  readonly queue: Queue;
  /** The web's `fetch`. Private, loopback and metadata addresses are refused unless the project allows the host. */
  readonly fetch: typeof fetch;
  readonly secrets: Secrets;
  /** Log entries of this request: `flux logs`, `flux trace`. `console.*` goes there too. */
  readonly log: Log;
  readonly function: Functions;
  /** Waits. The time does not count as CPU time, but it does as wall time. */
  sleep(ms: number): Promise<void>;
  /** A random UUID (version 4) from this request's own random source. */
  uuid(): string;
  readonly trace: Trace;
  /** Returns the value unchanged, and keeps it out of the record: it shows as `[redacted]` wherever it turns up. */
  redact<T>(value: T): T;
  /** Work that is to be finished before the response is sent, though the handler does not wait for it. */
  waitUntil(promise: Promise<unknown>): void;
  /** Does nothing; routers written for other platforms call it. */
  passThroughOnException(): void;
  /** An error to throw: `throw ctx.error(409, "EMAIL_TAKEN", "email already registered")`. */
  error(status: number, code: string, message?: string): Error;
  /** The `[env]` table of flux.toml; part of the function's version. */
  readonly env: Readonly<Record<string, string>>;
  readonly headers: Headers;
  /** Who calls, if the route asks for it. */
  readonly user: User | null;
  readonly tenant: string | null;
  readonly requestId: string;
  readonly functionName: string;
  /** Whether this is a replay. Functions need not look: answers come from the record either way. */
  readonly replay: boolean;
}

export interface User {
  readonly id: string;
  readonly [claim: string]: unknown;
}

// ---------------------------------------------------------------------------------------------------------------------
// Database

/**
 * Your tables. `flux generate` writes them down, with what an insert must and may hold, and with relations, so that
 * editors complete and the build checks `ctx.db.users.insert({ ... })`. By hand, columns are enough:
 *
 * ```ts
 * declare module "flux" {
 *   interface Tables {
 *     users: { id: number; email: string; plan: "free" | "pro" };
 *   }
 * }
 * ```
 *
 * Tables that are not declared take any columns.
 */
// deno-lint-ignore no-empty-interface
export interface Tables {}

/** `flux generate` adds `complete: true`: then a table that is not in `Tables` is an error, too. */
// deno-lint-ignore no-empty-interface
export interface TablesAre {}

export type Database = DatabaseCalls & TableAccess & {
  /**
   * Runs the callback in a transaction: committed when it returns, rolled back when it throws. Only calls on `tx` are
   * part of it, `tx.queue.push` included.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
};

/** `tx.users.insert(...)`, `tx.sql(...)`, `tx.queue.push(...)`: together or not at all. */
export type Transaction = DatabaseCalls & TableAccess & { readonly queue: Queue };

export interface DatabaseCalls {
  /** SQL with `$1`, `$2` ... for parameters: `ctx.db.sql("select * from users where id = $1", [id])`. */
  sql<R = Row>(text: string, params?: readonly unknown[]): Promise<R[]>;
  /** A query in the JSON format: `ctx.db.query({ table: "users", where: { plan: "pro" }, order_by: "id" })`. */
  query<R = any>(query: Query): Promise<R>;
}

export type TableAccess =
  & { readonly [Name in keyof Tables]: Table<Tables[Name]> }
  & (TablesAre extends { complete: true } ? unknown : { readonly [name: string]: Table<any> });

/** What a double precision column may hold. */
export type Double = number | "NaN" | "Infinity" | "-Infinity";

/** A table as `flux generate` describes it. */
export interface TableTypes {
  /** What a row looks like when it is read. */
  Row: object;
  /** Functions of a row, which can be selected and filtered by as if they were columns. */
  Computed: object;
  /** What an insert takes: columns without a default are required. */
  Insert: object;
  Update: object;
  /** Foreign keys, seen from both ends: `{ table: "posts"; many: true }`. */
  Relations: object;
}

export interface Table<T = Row> {
  find<const O extends FindOptions<T>>(where?: WhereOf<T>, options?: O): Promise<Found<T, O>[]>;
  findOne<const O extends FindOptions<T>>(where?: WhereOf<T>, options?: O): Promise<Found<T, O> | null>;
  findById<const O extends ReadOptions<T>>(id: unknown, options?: O): Promise<Found<T, O> | null>;
  /** Returns the row as stored, with the defaults that the database gave it. */
  insert<const O extends WriteOptions<T>>(data: InsertOf<T>, options?: O): Promise<Returned<T, O>>;
  insertMany<const O extends WriteOptions<T>>(data: readonly InsertOf<T>[], options?: O): Promise<Returned<T, O>[]>;
  /** Returns the rows as they are now. */
  update<const O extends WriteOptions<T>>(where: WhereOf<T>, data: UpdateOf<T>, options?: O): Promise<Returned<T, O>[]>;
  /** Inserts, or updates the row with the same values in these columns (which need a unique index). */
  upsert<const O extends UpsertOptions<T>>(data: InsertOf<T>, options: O): Promise<Returned<T, O>>;
  /** Returns the rows that were deleted. */
  delete<const O extends WriteOptions<T>>(where: WhereOf<T>, options?: O): Promise<Returned<T, O>[]>;
  count(where?: WhereOf<T>): Promise<number>;
  /** `aggregate({ orders: "count", total: { sum: "amount" } }, { group_by: ["plan"] })`: a row for each group. */
  aggregate<const A extends Aggregates<T>>(
    aggregates: A,
    options?: AggregateOptions<T>,
  ): Promise<({ [Alias in keyof A]: any } & Row)[]>;
}

/**
 * `{ plan: "pro", age: { gte: 18 } }`: all of them must hold; `null` means IS NULL. Related rows: `{ posts: { some: {
 * draft: true } } }`. Inside JSON: `{ "settings->>theme": "dark" }`. A column called `and`, `or` or `not`: `"column:and"`.
 */
export type WhereOf<T = Row> = Where<Compared<T>, LinksOf<T>>;
export type Columns<T = Row> = readonly Column<Compared<T>>[];
export type Condition<T = unknown> = Operators<T>;
/** `columns`, or `select` with fields by name: `true`, another column, a place inside JSON, related rows. */
export type ReadOptions<T = Row> = Pick<SelectQuery<Compared<T>, LinksOf<T>>, "columns" | "select">;
export type FindOptions<T = Row> = Omit<SelectQuery<Compared<T>, LinksOf<T>>, "table" | "operation" | "where" | "one">;
export type WriteOptions<T = Row> = Pick<UpdateQuery<Compared<T>, LinksOf<T>>, "returning">;
export type UpsertOptions<T = Row> = Pick<UpsertQuery<Compared<T>, LinksOf<T>>, "returning" | "on_conflict">;
export type Aggregates<T = Row> = { readonly [alias: string]: Measure<Compared<T>> };
export type AggregateOptions<T = Row> = Omit<
  AggregateQuery<Compared<T>, LinksOf<T>>,
  "table" | "operation" | "aggregates"
>;

/** What comes back: the columns or fields that were asked for, else the whole row. */
export type Found<T, O> = IsAny<T> extends true ? any
  : O extends { readonly select: infer S } ? Selected<T, S>
  : O extends { readonly columns: readonly (infer C)[] } ? Picked<T, C>
  : RowOf<T>;
export type Returned<T, O> = IsAny<T> extends true ? any
  : O extends { readonly returning: readonly (infer C)[] } ? Picked<T, C>
  : O extends { readonly returning: infer S extends object } ? Selected<T, S>
  : RowOf<T>;
export type Selected<T, S> = { -readonly [Alias in keyof S]: FieldOf<T, Alias, S[Alias]> };

type IsAny<T> = 0 extends 1 & T ? true : false;
type RowOf<T> = IsAny<T> extends true ? any : T extends TableTypes ? T["Row"] : T;
type InsertOf<T> = IsAny<T> extends true ? any : T extends TableTypes ? T["Insert"] : Partial<T>;
type UpdateOf<T> = IsAny<T> extends true ? any : T extends TableTypes ? T["Update"] : Partial<T>;
type Readable<T> = T extends TableTypes ? T["Row"] & T["Computed"] : T;
type Picked<T, C> = Pick<Readable<T>, C & keyof Readable<T>>;
/** By column: what it is compared with, which is what may be written to it. */
type Compared<T> = IsAny<T> extends true ? Row
  : T extends TableTypes ? { [C in keyof Readable<T>]: C extends keyof T["Update"] ? T["Update"][C] : Readable<T>[C] }
  : T extends object ? T
  : Row;
type LinksOf<T> = IsAny<T> extends true ? Links
  : T extends TableTypes ? {
      [R in keyof T["Relations"]]: {
        readonly row: Compared<OtherEnd<T["Relations"][R]>>;
        readonly links: LinksOf<OtherEnd<T["Relations"][R]>>;
      };
    }
  : Record<never, never>;
type OtherEnd<R> = R extends { table: infer Name } ? Name extends keyof Tables ? Tables[Name] : any : any;
type FieldOf<T, Alias, F> = F extends true ? Named<T, Alias, unknown>
  : F extends string
    ? F extends keyof Readable<T> ? Readable<T>[F] : F extends `${string}->>${string}` ? string | null : any
  : F extends { readonly relation: infer R } ? Named<T, R, F>
  : Named<T, Alias, F>;
type Named<T, Name, F> = Name extends keyof Readable<T> ? Readable<T>[Name]
  : T extends TableTypes
    ? Name extends keyof T["Relations"]
      ? T["Relations"][Name] extends { many: true } ? OtherRows<T, Name, F>[] : OtherRows<T, Name, F> | null
    : any
  : any;
type OtherRows<T extends TableTypes, Name extends keyof T["Relations"], F> = Found<OtherEnd<T["Relations"][Name]>, F>;

// ---------------------------------------------------------------------------------------------------------------------
// Everything else

export interface Queue {
  /** Queues a call of this function: it runs at least once, as an execution of its own, and again if it fails. */
  push(functionName: string, payload?: unknown, options?: PushOptions): Promise<{ job_id: string }>;
}

export interface PushOptions {
  /** Earliest start, from now. */
  delay_ms?: number;
  /** Higher runs first; 0 by default. */
  priority?: number;
  max_attempts?: number;
  /** A second push with the same key while the first is kept is the first. */
  idempotency_key?: string;
}

export interface Secrets {
  get(name: string): Promise<string>;
}

export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface Functions {
  /** Calls another function and waits for its result; it appears under this request. */
  invoke<T = any>(name: string, input?: unknown): Promise<T>;
}

export interface Trace {
  /** Calls made on the span's `ctx` appear under it in `flux trace`. */
  span<T>(name: string, work: (ctx: Context) => T | Promise<T>): Promise<T>;
}

/**
 * What `import ... from "flux"` gives: `defineFunction`, and the types of everything a function can do.
 *
 * There is nothing in here but types and a mark: what `ctx` does is the runtime's, on the other side of the isolate.
 */

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
 * The columns of your tables, if you want them checked. Declare them anywhere in the project:
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
}

export type TableAccess =
  & { readonly [Name in keyof Tables]: Table<Tables[Name]> }
  & { readonly [name: string]: Table<any> };

export type Row = Record<string, any>;

export interface Table<R = Row> {
  find(where?: Where<R>, options?: FindOptions<R>): Promise<R[]>;
  findOne(where?: Where<R>, options?: FindOptions<R>): Promise<R | null>;
  findById(id: unknown): Promise<R | null>;
  /** Returns the row as stored, with the defaults that the database gave it. */
  insert(data: Partial<R>): Promise<R>;
  insertMany(data: readonly Partial<R>[]): Promise<R[]>;
  /** Returns the rows as they are now. */
  update(where: Where<R>, data: Partial<R>): Promise<R[]>;
  /** Inserts, or updates the row with the same values in these columns (which need a unique index). */
  upsert(data: Partial<R>, options: { on_conflict: Columns<R> }): Promise<R>;
  /** Returns the rows that were deleted. */
  delete(where: Where<R>): Promise<R[]>;
  count(where?: Where<R>): Promise<number>;
}

/** `{ plan: "pro", age: { gte: 18 } }`: all of them must hold; `null` means IS NULL. */
export type Where<R = Row> = { readonly [Column in keyof R]?: R[Column] | null | Condition<R[Column]> };

export interface Condition<T = unknown> {
  eq?: T | null;
  neq?: T | null;
  gt?: T;
  gte?: T;
  lt?: T;
  lte?: T;
  in?: readonly T[];
  like?: string;
  ilike?: string;
  is_null?: boolean;
}

export interface FindOptions<R = Row> {
  columns?: Columns<R>;
  /** "created_at", { created_at: "desc" }, or a list of these. */
  order_by?: Order<R> | readonly Order<R>[];
  limit?: number;
  offset?: number;
}

export type Columns<R = Row> = readonly (keyof R & string)[];
export type Order<R = Row> = (keyof R & string) | { readonly [Column in keyof R]?: "asc" | "desc" };

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

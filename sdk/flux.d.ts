// Generated from flux.ts by `python -m flux.build.declarations`; do not edit.

/**
 * What `import ... from "flux"` gives: `defineFunction`, the types of everything a function can do, and `defineSchema`.
 *
 * There is nothing in here but types and a mark: what `ctx` does is the runtime's, on the other side of the isolate.
 */
/**
 * `defineSchema`: the tables of the project, in `schemas/*.schema.ts`. `flux db push` brings the database there.
 *
 * Nothing in here talks to a database. A schema is evaluated once, by the build, and becomes JSON (`toJSON`).
 */
/**
 * ```ts
 * import { column, defineSchema, sql, table } from "flux";
 *
 * export default defineSchema({
 *   enums: { plan: ["free", "pro"] },
 *   tables: {
 *     users: table({
 *       id: column.bigint().identity().primaryKey(),
 *       email: column.text().unique(),
 *       plan: column.enum("plan").default("free"),
 *       created_at: column.timestamptz().default(sql`now()`),
 *     }),
 *     posts: table({
 *       id: column.uuid().primaryKey().default(sql`gen_random_uuid()`),
 *       author_id: column.bigint().references("users.id", { onDelete: "cascade" }),
 *       title: column.varchar(200),
 *       tags: column.text().array().default([]),
 *     }, {
 *       indexes: [{ columns: ["author_id"] }],
 *       checks: { title_not_empty: sql`title <> ''` },
 *     }),
 *   },
 * });
 * ```
 *
 * Columns are NOT NULL unless they are `.nullable()`.
 */
export declare function defineSchema<const Schema extends SchemaDefinition>(schema: Schema): Schema;
export interface SchemaDefinition {
  /** Enumerated types, by name, with their labels in order. */ readonly enums?: Readonly<
    Record<string, readonly string[]>
  >;
  readonly tables: Readonly<Record<string, TableDefinition>>;
  /** Tables that something else looks after: `flux db` leaves them as they are. `*` stands for any characters. */
  readonly ignore?: readonly string[];
}
/** A table, with its columns by name. */
export declare function table<Columns extends Readonly<Record<string, ColumnDefinition<any>>>>(
  columns: Columns,
  options?: TableOptions<keyof Columns & string>,
): TableDefinition;
export interface TableDefinition {
  readonly columns: Readonly<Record<string, ColumnDefinition<any>>>;
  readonly options: TableOptions<any>;
}
export interface TableOptions<Name extends string> {
  /** For keys of several columns; for one there is `.primaryKey()`. */
  readonly primaryKey?: readonly Name[];
  readonly unique?: readonly (readonly Name[] | UniqueDefinition<Name>)[];
  readonly indexes?: readonly IndexDefinition<Name>[];
  /** Conditions that every row must fulfil, by the constraint's name. */
  readonly checks?: Readonly<Record<string, Sql | string>>;
  /** For foreign keys of several columns; for one there is `.references(...)`. */
  readonly foreignKeys?: readonly ForeignKeyDefinition<Name>[];
  readonly comment?: string;
  /** What the table was called before, so that it is renamed instead of dropped and made anew. */
  readonly renamedFrom?: string;
}
export interface UniqueDefinition<Name extends string> {
  readonly columns: readonly Name[];
  readonly name?: string;
  /** Two rows with NULL in the same place are then the same. */
  readonly nullsNotDistinct?: boolean;
}
export interface IndexDefinition<Name extends string> {
  /** Columns, or expressions: `["email"]`, ``[sql`lower(email)`]``, ``[sql`created_at DESC`]``. */ readonly columns:
    readonly (Name | Sql)[];
  readonly name?: string;
  readonly unique?: boolean;
  /** "btree" by default; "gin" for jsonb, arrays and full-text search. */
  readonly method?: "btree" | "hash" | "gin" | "gist" | "spgist" | "brin" | (string & {});
  /** Only rows for which this holds are in the index. */
  readonly where?: Sql | string;
  /** Further columns, stored in the index for index-only scans. */
  readonly include?: readonly Name[];
}
export interface ForeignKeyDefinition<Name extends string> extends ReferenceOptions {
  readonly columns: readonly Name[];
  /** The other table, and its columns in the same order. */
  readonly references: {
    readonly table: string;
    readonly columns: readonly string[];
  };
}
export interface ReferenceOptions {
  readonly onDelete?: ReferenceAction;
  readonly onUpdate?: ReferenceAction;
  readonly name?: string;
  /** Checked at the end of the transaction. */
  readonly deferred?: boolean;
}
export type ReferenceAction = "no action" | "restrict" | "cascade" | "set null" | "set default";
/** A piece of SQL, for defaults, checks and indexes. */
export declare class Sql {
  readonly sql: string;
  constructor(sql: string);
}
/** ``sql`now()` `` */
export declare function sql(strings: TemplateStringsArray, ...values: readonly (string | number)[]): Sql;
interface ColumnState {
  readonly type: string;
  readonly enum?: string;
  readonly dimensions?: number;
  readonly nullable?: boolean;
  readonly default?: Sql | {
    readonly value: unknown;
  };
  readonly identity?: "always" | "by default";
  readonly generated?: {
    readonly sql: string;
    readonly stored: boolean;
  };
  readonly primaryKey?: boolean;
  readonly unique?: boolean;
  readonly check?: string;
  readonly references?: ReferenceOptions & {
    readonly table: string;
    readonly column: string;
  };
  readonly comment?: string;
  readonly renamedFrom?: string;
}
/** A column; `Value` is what its default may be. Every method gives a new column. */
export declare class ColumnDefinition<Value> {
  #private;
  constructor(state: ColumnState);
  /** May be NULL. */
  nullable(): ColumnDefinition<Value | null>;
  /** What an insert without this column stores: a value, or SQL such as ``sql`now()` ``. */
  default(value: Value | Sql): ColumnDefinition<Value>;
  /** Numbered by the database. "always": an insert may not give it a value. */
  identity(kind?: "always" | "by default"): ColumnDefinition<Value>;
  /** Computed by the database from other columns; virtual ones (PostgreSQL 18) when they are read. */
  generated(expression: Sql, options?: {
    readonly virtual?: boolean;
  }): ColumnDefinition<Value>;
  primaryKey(): ColumnDefinition<Value>;
  unique(): ColumnDefinition<Value>;
  /** A condition that every row must fulfil, such as ``sql`price > 0` ``. */
  check(condition: Sql): ColumnDefinition<Value>;
  /** A foreign key: `column.bigint().references("users.id", { onDelete: "cascade" })`. */
  references(target: `${string}.${string}`, options?: ReferenceOptions): ColumnDefinition<Value>;
  array(): ColumnDefinition<Value[]>;
  comment(text: string): ColumnDefinition<Value>;
  /** What the column was called before, so that it is renamed and keeps its values. */
  renamedFrom(name: string): ColumnDefinition<Value>;
  toJSON(): unknown;
}
/** Columns by type. (Functions each, so that bundles of functions leave all of this out.) */
export declare const column: {
  smallint: () => ColumnDefinition<number>;
  integer: () => ColumnDefinition<number>;
  bigint: () => ColumnDefinition<number | string>;
  /** Exact; `numeric(10, 2)` has ten digits, two of them behind the point. */
  numeric: (precision?: number, scale?: number) => ColumnDefinition<number | string>;
  real: () => ColumnDefinition<number>;
  double: () => ColumnDefinition<number>;
  boolean: () => ColumnDefinition<boolean>;
  text: () => ColumnDefinition<string>;
  varchar: (length?: number) => ColumnDefinition<string>;
  char: (length: number) => ColumnDefinition<string>;
  uuid: () => ColumnDefinition<string>;
  timestamptz: () => ColumnDefinition<string>;
  timestamp: () => ColumnDefinition<string>;
  date: () => ColumnDefinition<string>;
  time: () => ColumnDefinition<string>;
  interval: () => ColumnDefinition<string>;
  json: () => ColumnDefinition<unknown>;
  jsonb: () => ColumnDefinition<unknown>;
  bytea: () => ColumnDefinition<string>;
  inet: () => ColumnDefinition<string>;
  cidr: () => ColumnDefinition<string>;
  tsvector: () => ColumnDefinition<string>;
  /** One of `enums`. */
  enum: (name: string) => ColumnDefinition<string>;
  /** Any other type, as SQL writes it: `column.type("int4range")`, `column.type("citext")`. */
  type: <Value = unknown>(name: string) => ColumnDefinition<Value>;
};
export {};
/** Any row. */
export type Row = Record<string, any>;
/** What a table's relations lead to, by name: any. */
export interface Links {
  readonly [relation: string]: Link;
}
/** The row type and the relations at the other end of a relation. */
export interface Link {
  readonly row: object;
  readonly links: object;
}
export type Column<R extends object> = keyof R & string;
/** A place in a JSON column (`settings->theme`, `settings->>theme`), or a column called like a keyword. */
export type Path = `${string}->${string}` | `column:${string}`;
export type Target<R extends object> = Column<R> | Path;
export type Quantified<T> = { readonly any: readonly T[] } | {
  readonly all: readonly T[];
};
export interface Operators<T = unknown> {
  /** equal; null: IS NULL (`=`) */
  readonly eq?: T | null | Quantified<T>;
  /** not equal; null: IS NOT NULL (`<>`) */
  readonly neq?: T | null | Quantified<T>;
  /** greater (`>`) */
  readonly gt?: T | Quantified<T>;
  /** greater or equal (`>=`) */
  readonly gte?: T | Quantified<T>;
  /** less (`<`) */
  readonly lt?: T | Quantified<T>;
  /** less or equal (`<=`) */
  readonly lte?: T | Quantified<T>;
  /** one of these; null among them also finds NULL (`= ANY`) */
  readonly in?: readonly (T | null)[];
  /** none of these; null among them also excludes NULL (`<> ALL`) */
  readonly nin?: readonly (T | null)[];
  /** from the first to the second, both included (`BETWEEN`) */
  readonly between?: readonly [T, T];
  /** pattern with % and _ (`LIKE`) */
  readonly like?: string | Quantified<string>;
  /** pattern, upper and lower case alike (`ILIKE`) */
  readonly ilike?: string | Quantified<string>;
  /** regular expression (`~`) */
  readonly match?: string | Quantified<string>;
  /** regular expression, upper and lower case alike (`~*`) */
  readonly imatch?: string | Quantified<string>;
  /** there is no value (true), there is one (false) (`IS [NOT] NULL`) */
  readonly is_null?: boolean;
  /** exactly this, null and unknown included (`IS`) */
  readonly is?: null | boolean | "unknown";
  /** not equal, where NULL differs from every value (`IS DISTINCT FROM`) */
  readonly is_distinct?: T;
  /** array, range or JSON holds this (`@>`) */
  readonly contains?: T;
  /** array, range or JSON lies in this (`<@`) */
  readonly contained?: T;
  /** arrays or ranges share something (`&&`) */
  readonly overlaps?: T;
  /** range ends before this one begins (`<<`) */
  readonly strictly_left?: T;
  /** range begins after this one ends (`>>`) */
  readonly strictly_right?: T;
  /** range does not reach beyond this one's end (`&<`) */
  readonly not_right_of?: T;
  /** range does not begin before this one (`&>`) */
  readonly not_left_of?: T;
  /** ranges touch (`-|-`) */
  readonly adjacent?: T;
  /** full-text query with & | ! and <-> (`@@ to_tsquery`) */
  readonly fts?: string | {
    readonly query: string;
    readonly config?: string;
  };
  /** all of these words (`@@ plainto_tsquery`) */
  readonly plfts?: string | {
    readonly query: string;
    readonly config?: string;
  };
  /** these words in this order (`@@ phraseto_tsquery`) */
  readonly phfts?: string | {
    readonly query: string;
    readonly config?: string;
  };
  /** as typed into a search box (`@@ websearch_to_tsquery`) */
  readonly wfts?: string | {
    readonly query: string;
    readonly config?: string;
  };
  /** none of this holds */
  readonly not?: Operators<T>;
}
/** A bare array or object is refused: `in` asks for any of these, `eq` for the thing itself. */
export type Comparable<T> = (T extends object ? never : T) | null | Operators<NonNullable<T>>;
export interface Related<K extends Link> {
  /** there is a related row for which this holds */ readonly some?: Where<K["row"], K["links"]>;
  /** there is no related row for which this holds */
  readonly none?: Where<K["row"], K["links"]>;
  /** it holds for all related rows */
  readonly every?: Where<K["row"], K["links"]>;
}
export type Where<R extends object = Row, L extends object = Links> =
  & { readonly and?: readonly Where<R, L>[]; readonly or?: readonly Where<R, L>[]; readonly not?: Where<R, L> }
  & {
    readonly [C in Exclude<Column<R>, Keyword>]?:
      | Comparable<R[C]>
      | (string extends C ? RelatedBy<L, C> : never);
  }
  & {
    readonly [Name in Exclude<keyof L & string, Keyword | Column<R>>]?: RelatedBy<L, Name>;
  }
  & {
    readonly [path in Path]?: Comparable<any>;
  };
export type RelatedBy<L extends object, Name> = Name extends keyof L ? L[Name] extends Link ? Related<L[Name]> : never
  : never;
export type Keyword = "and" | "or" | "not";
/** Conditions on aliases of an aggregate's answer. */
export type Having = { readonly and?: readonly Having[]; readonly or?: readonly Having[]; readonly not?: Having } & {
  readonly [alias: string]: Comparable<any> | Having | readonly Having[];
};
export type Order<Name extends string> =
  | Name
  | {
    readonly [C in Name]?: "asc" | "desc" | { readonly direction?: "asc" | "desc"; readonly nulls?: "first" | "last" };
  };
export type Fields<R extends object = Row, L extends object = Links> = {
  readonly [alias: string]: true | Target<R> | NestedBy<L>;
};
export type NestedBy<L extends object> = { [Name in keyof L]: L[Name] extends Link ? Nested<L[Name]> : never }[keyof L];
export type Measure<R extends object> = "count" | { readonly count: Target<R>; readonly distinct?: boolean } | {
  readonly sum: Target<R>;
  readonly distinct?: boolean;
} | {
  readonly avg: Target<R>;
  readonly distinct?: boolean;
} | {
  readonly min: Target<R>;
  readonly distinct?: boolean;
} | {
  readonly max: Target<R>;
  readonly distinct?: boolean;
};
/** Related rows: an array of rows for a relation to many, else a row or null. */
export interface Nested<K extends Link> {
  /** the relation's name; the field's own when left out */
  readonly relation?: string;
  /** these columns */
  readonly columns?: readonly Column<K["row"]>[];
  /** fields of the answer: columns, places in JSON, related rows */
  readonly select?: Fields<K["row"], K["links"]>;
  /** which rows */
  readonly where?: Where<K["row"], K["links"]>;
  /** in which order */
  readonly order_by?: Order<Target<K["row"]>> | readonly Order<Target<K["row"]>>[];
  /** at most so many rows */
  readonly limit?: number;
  /** skip so many rows */
  readonly offset?: number;
}
/** Answers rows; with `one`, a row or null. */
export interface SelectQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */ readonly table: string;
  /** what to do; "select" when left out */
  readonly operation?: "select";
  /** these columns */
  readonly columns?: readonly Column<R>[];
  /** fields of the answer: columns, places in JSON, related rows */
  readonly select?: Fields<R, L>;
  /** which rows */
  readonly where?: Where<R, L>;
  /** in which order */
  readonly order_by?: Order<Target<R>> | readonly Order<Target<R>>[];
  /** at most so many rows */
  readonly limit?: number;
  /** skip so many rows */
  readonly offset?: number;
  /** continue behind this row: its values of `order_by` and of the primary key */
  readonly after?: {
    readonly [Name in Target<R>]?: unknown;
  };
  /** true: no two rows alike; columns: the first row for each of their values */
  readonly distinct?: boolean | readonly Column<R>[];
  /** true: the first row or null, not an array */
  readonly one?: boolean;
}
/** Answers a number. */
export interface CountQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */ readonly table: string;
  /** what to do; "select" when left out */
  readonly operation: "count";
  /** which rows */
  readonly where?: Where<R, L>;
}
/** Answers rows with the aliases; one row without `group_by`. */
export interface AggregateQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */ readonly table: string;
  /** what to do; "select" when left out */
  readonly operation: "aggregate";
  /** what to compute, by alias */
  readonly aggregates?: {
    readonly [alias: string]: Measure<R>;
  };
  /** one answer for each of their values */
  readonly group_by?: readonly (Column<R> | {
    readonly [alias: string]: true | Target<R>;
  })[];
  /** which rows */
  readonly where?: Where<R, L>;
  /** which groups, by aliases of the answer */
  readonly having?: Having;
  /** in which order, by aliases of the answer */
  readonly order_by?: Order<string> | readonly Order<string>[];
  /** at most so many rows */
  readonly limit?: number;
  /** skip so many rows */
  readonly offset?: number;
}
/** Answers the row, or the rows in the order given. */
export interface InsertQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */ readonly table: string;
  /** what to do; "select" when left out */
  readonly operation: "insert";
  /** a row, or an array of rows */
  readonly data: Partial<R> | readonly Partial<R>[];
  /** fields of the answer; all readable columns when left out */
  readonly returning?: readonly Column<R>[] | {
    readonly [alias: string]: true | Target<R>;
  };
}
/** Answers the row, or the rows in the order given. */
export interface UpsertQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */ readonly table: string;
  /** what to do; "select" when left out */
  readonly operation: "upsert";
  /** a row, or an array of rows */
  readonly data: Partial<R> | readonly Partial<R>[];
  /** columns of a unique index, and what to do */
  readonly on_conflict: readonly Column<R>[] | {
    readonly columns: readonly Column<R>[];
    readonly update?: readonly Column<R>[] | "nothing";
  };
  /** fields of the answer; all readable columns when left out */
  readonly returning?: readonly Column<R>[] | {
    readonly [alias: string]: true | Target<R>;
  };
}
/** Answers the rows as they are now. */
export interface UpdateQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */ readonly table: string;
  /** what to do; "select" when left out */
  readonly operation: "update";
  /** which rows */
  readonly where?: Where<R, L>;
  /** true in place of `where`: every row */
  readonly all?: boolean;
  /** the new values */
  readonly data: Partial<R>;
  /** fields of the answer; all readable columns when left out */
  readonly returning?: readonly Column<R>[] | {
    readonly [alias: string]: true | Target<R>;
  };
}
/** Answers the rows as they were. */
export interface DeleteQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */ readonly table: string;
  /** what to do; "select" when left out */
  readonly operation: "delete";
  /** which rows */
  readonly where?: Where<R, L>;
  /** true in place of `where`: every row */
  readonly all?: boolean;
  /** fields of the answer; all readable columns when left out */
  readonly returning?: readonly Column<R>[] | {
    readonly [alias: string]: true | Target<R>;
  };
}
/** What `ctx.db.query` takes. */
export type Query<R extends object = Row, L extends object = Links> =
  | SelectQuery<R, L>
  | CountQuery<R, L>
  | AggregateQuery<R, L>
  | InsertQuery<R, L>
  | UpsertQuery<R, L>
  | UpdateQuery<R, L>
  | DeleteQuery<R, L>;
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
export declare function defineFunction<Input extends Schema = Schema<any>, Output extends Schema = Schema<any>>(
  definition: FunctionDefinition<Input, Output>,
): FunctionDefinition<Input, Output>;
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
    readonly types?: {
      readonly input: Input;
      readonly output: Output;
    } | undefined;
  };
}
export type SchemaResult<Output> = { readonly value: Output; readonly issues?: undefined } | {
  readonly issues: ReadonlyArray<SchemaIssue>;
};
export interface SchemaIssue {
  readonly message: string;
  readonly path?:
    | ReadonlyArray<
      PropertyKey | {
        readonly key: PropertyKey;
      }
    >
    | undefined;
}
/** What a value must look like before the schema has seen it. */
export type SchemaInput<S extends Schema> = NonNullable<S["~standard"]["types"]>["input"];
/** What the schema makes of a value. */
export type SchemaOutput<S extends Schema> = NonNullable<S["~standard"]["types"]>["output"];
/**
 * What a function can do. Every call is recorded as a span of the request, with its input and output, and is answered
 * from the record when the request is replayed.
 */
export interface Context {
  /** The database: `ctx.db.users.findOne({ email })`, `ctx.db.sql(...)`, `ctx.db.transaction(...)`. */ readonly db:
    Database;
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
export interface Tables {} /** `flux generate` adds `complete: true`: then a table that is not in `Tables` is an error, too. */
export interface TablesAre {}
export type Database = DatabaseCalls & TableAccess & {
  /** * Runs the callback in a transaction: committed when it returns, rolled back when it throws. Only calls on `tx` are * part of it, `tx.queue.push` included. */ transaction<
    T,
  >(work: (tx: Transaction) => Promise<T>): Promise<T>;
};
/** `tx.users.insert(...)`, `tx.sql(...)`, `tx.queue.push(...)`: together or not at all. */
export type Transaction = DatabaseCalls & TableAccess & { readonly queue: Queue };
export interface DatabaseCalls {
  /** SQL with `$1`, `$2` ... for parameters: `ctx.db.sql("select * from users where id = $1", [id])`. */ sql<R = Row>(
    text: string,
    params?: readonly unknown[],
  ): Promise<R[]>;
  /** A query in the JSON format: `ctx.db.query({ table: "users", where: { plan: "pro" }, order_by: "id" })`. */
  query<R = any>(query: Query): Promise<R>;
}
export type TableAccess =
  & { readonly [Name in keyof Tables]: Table<Tables[Name]> }
  & (TablesAre extends {
    complete: true;
  } ? unknown
    : {
      readonly [name: string]: Table<any>;
    });
/** What a double precision column may hold. */
export type Double = number | "NaN" | "Infinity" | "-Infinity";
/** A table as `flux generate` describes it. */
export interface TableTypes {
  /** What a row looks like when it is read. */ Row: object;
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
  aggregate<const A extends Aggregates<T>>(aggregates: A, options?: AggregateOptions<T>): Promise<(
    & {
      [Alias in keyof A]: any;
    }
    & Row
  )[]>;
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
  : O extends {
    readonly columns: readonly (infer C)[];
  } ? Picked<T, C>
  : RowOf<T>;
export type Returned<T, O> = IsAny<T> extends true ? any
  : O extends { readonly returning: readonly (infer C)[] } ? Picked<T, C>
  : O extends {
    readonly returning: infer S extends object;
  } ? Selected<T, S>
  : RowOf<T>;
export type Selected<T, S> = { -readonly [Alias in keyof S]: FieldOf<T, Alias, S[Alias]> };
type IsAny<T> = 0 extends 1 & T ? true : false;
type RowOf<T> = IsAny<T> extends true ? any : T extends TableTypes ? T["Row"] : T;
type InsertOf<T> = IsAny<T> extends true ? any : T extends TableTypes ? T["Insert"] : Partial<T>;
type UpdateOf<T> = IsAny<T> extends true ? any : T extends TableTypes ? T["Update"] : Partial<T>;
type Readable<T> = T extends TableTypes ? T["Row"] & T["Computed"] : T;
type Picked<T, C> = Pick<Readable<T>, C & keyof Readable<T>>;
/** By column: what it is compared with, which is what may be written to it. */
type Compared<T> = IsAny<T> extends true ? Row : T extends TableTypes ? {
    [C in keyof Readable<T>]: C extends keyof T["Update"] ? T["Update"][C] : Readable<T>[C];
  }
: T extends object ? T
: Row;
type LinksOf<T> = IsAny<T> extends true ? Links : T extends TableTypes ? {
    [R in keyof T["Relations"]]: {
      readonly row: Compared<OtherEnd<T["Relations"][R]>>;
      readonly links: LinksOf<OtherEnd<T["Relations"][R]>>;
    };
  }
: Record<never, never>;
type OtherEnd<R> = R extends {
  table: infer Name;
} ? Name extends keyof Tables ? Tables[Name] : any
  : any;
type FieldOf<T, Alias, F> = F extends true ? Named<T, Alias, unknown>
  : F extends string
    ? F extends keyof Readable<T> ? Readable<T>[F] : F extends `${string}->>${string}` ? string | null : any
  : F extends {
    readonly relation: infer R;
  } ? Named<T, R, F>
  : Named<T, Alias, F>;
type Named<T, Name, F> = Name extends keyof Readable<T> ? Readable<T>[Name]
  : T extends TableTypes ? Name extends keyof T["Relations"] ? T["Relations"][Name] extends {
        many: true;
      } ? OtherRows<T, Name, F>[]
      : OtherRows<T, Name, F> | null
    : any
  : any;
type OtherRows<T extends TableTypes, Name extends keyof T["Relations"], F> = Found<OtherEnd<T["Relations"][Name]>, F>;
export interface Queue {
  /** Queues a call of this function: it runs at least once, as an execution of its own, and again if it fails. */ push(
    functionName: string,
    payload?: unknown,
    options?: PushOptions,
  ): Promise<{ job_id: string }>;
}
export interface PushOptions {
  /** Earliest start, from now. */ delay_ms?: number;
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
  /** Calls made on the span's `ctx` appear under it in `flux trace`. */ span<T>(
    name: string,
    work: (ctx: Context) => T | Promise<T>,
  ): Promise<T>;
}

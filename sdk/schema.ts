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
export function defineSchema<const Schema extends SchemaDefinition>(schema: Schema): Schema {
  return schema;
}

export interface SchemaDefinition {
  /** Enumerated types, by name, with their labels in order. */
  readonly enums?: Readonly<Record<string, readonly string[]>>;
  readonly tables: Readonly<Record<string, TableDefinition>>;
  /** Tables that something else looks after: `flux db` leaves them as they are. `*` stands for any characters. */
  readonly ignore?: readonly string[];
}

/** A table, with its columns by name. */
export function table<Columns extends Readonly<Record<string, ColumnDefinition<any>>>>(
  columns: Columns,
  options: TableOptions<keyof Columns & string> = {},
): TableDefinition {
  return { columns, options };
}

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
  /** Columns, or expressions: `["email"]`, ``[sql`lower(email)`]``, ``[sql`created_at DESC`]``. */
  readonly columns: readonly (Name | Sql)[];
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
  readonly references: { readonly table: string; readonly columns: readonly string[] };
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
export class Sql {
  constructor(readonly sql: string) {}
}

/** ``sql`now()` `` */
export function sql(strings: TemplateStringsArray, ...values: readonly (string | number)[]): Sql {
  return new Sql(String.raw({ raw: strings }, ...values));
}

interface ColumnState {
  readonly type: string;
  readonly enum?: string;
  readonly dimensions?: number;
  readonly nullable?: boolean;
  readonly default?: Sql | { readonly value: unknown };
  readonly identity?: "always" | "by default";
  readonly generated?: { readonly sql: string; readonly stored: boolean };
  readonly primaryKey?: boolean;
  readonly unique?: boolean;
  readonly check?: string;
  readonly references?: ReferenceOptions & { readonly table: string; readonly column: string };
  readonly comment?: string;
  readonly renamedFrom?: string;
}

/** A column; `Value` is what its default may be. Every method gives a new column. */
export class ColumnDefinition<Value> {
  readonly #state: ColumnState;

  constructor(state: ColumnState) {
    this.#state = state;
  }

  /** May be NULL. */
  nullable(): ColumnDefinition<Value | null> {
    return this.#with({ nullable: true });
  }

  /** What an insert without this column stores: a value, or SQL such as ``sql`now()` ``. */
  default(value: Value | Sql): ColumnDefinition<Value> {
    return this.#with({ default: value instanceof Sql ? value : { value: spelled(value) } });
  }

  /** Numbered by the database. "always": an insert may not give it a value. */
  identity(kind: "always" | "by default" = "always"): ColumnDefinition<Value> {
    return this.#with({ identity: kind });
  }

  /** Computed by the database from other columns; virtual ones (PostgreSQL 18) when they are read. */
  generated(expression: Sql, options: { readonly virtual?: boolean } = {}): ColumnDefinition<Value> {
    return this.#with({ generated: { sql: expression.sql, stored: !options.virtual } });
  }

  primaryKey(): ColumnDefinition<Value> {
    return this.#with({ primaryKey: true });
  }

  unique(): ColumnDefinition<Value> {
    return this.#with({ unique: true });
  }

  /** A condition that every row must fulfil, such as ``sql`price > 0` ``. */
  check(condition: Sql): ColumnDefinition<Value> {
    return this.#with({ check: condition.sql });
  }

  /** A foreign key: `column.bigint().references("users.id", { onDelete: "cascade" })`. */
  references(target: `${string}.${string}`, options: ReferenceOptions = {}): ColumnDefinition<Value> {
    const at = target.lastIndexOf(".");
    return this.#with({ references: { table: target.slice(0, at), column: target.slice(at + 1), ...options } });
  }

  array(): ColumnDefinition<Value[]> {
    return this.#with({ dimensions: (this.#state.dimensions ?? 0) + 1 });
  }

  comment(text: string): ColumnDefinition<Value> {
    return this.#with({ comment: text });
  }

  /** What the column was called before, so that it is renamed and keeps its values. */
  renamedFrom(name: string): ColumnDefinition<Value> {
    return this.#with({ renamedFrom: name });
  }

  toJSON(): unknown {
    return this.#state;
  }

  #with(changes: Partial<ColumnState>): ColumnDefinition<any> {
    return new ColumnDefinition({ ...this.#state, ...changes });
  }
}

/** NaN and the infinities, which JSON makes null of, as Postgres writes them. */
function spelled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(spelled);
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/** Columns by type. (Functions each, so that bundles of functions leave all of this out.) */
export const column = {
  smallint: (): ColumnDefinition<number> => new ColumnDefinition({ type: "smallint" }),
  integer: (): ColumnDefinition<number> => new ColumnDefinition({ type: "integer" }),
  bigint: (): ColumnDefinition<number | string> => new ColumnDefinition({ type: "bigint" }),
  /** Exact; `numeric(10, 2)` has ten digits, two of them behind the point. */
  numeric: (precision?: number, scale?: number): ColumnDefinition<number | string> =>
    new ColumnDefinition({ type: "numeric" + modifier(precision, scale) }),
  real: (): ColumnDefinition<number> => new ColumnDefinition({ type: "real" }),
  double: (): ColumnDefinition<number> => new ColumnDefinition({ type: "double precision" }),
  boolean: (): ColumnDefinition<boolean> => new ColumnDefinition({ type: "boolean" }),
  text: (): ColumnDefinition<string> => new ColumnDefinition({ type: "text" }),
  varchar: (length?: number): ColumnDefinition<string> => new ColumnDefinition({ type: "varchar" + modifier(length) }),
  char: (length: number): ColumnDefinition<string> => new ColumnDefinition({ type: "char" + modifier(length) }),
  uuid: (): ColumnDefinition<string> => new ColumnDefinition({ type: "uuid" }),
  timestamptz: (): ColumnDefinition<string> => new ColumnDefinition({ type: "timestamptz" }),
  timestamp: (): ColumnDefinition<string> => new ColumnDefinition({ type: "timestamp" }),
  date: (): ColumnDefinition<string> => new ColumnDefinition({ type: "date" }),
  time: (): ColumnDefinition<string> => new ColumnDefinition({ type: "time" }),
  interval: (): ColumnDefinition<string> => new ColumnDefinition({ type: "interval" }),
  json: (): ColumnDefinition<unknown> => new ColumnDefinition({ type: "json" }),
  jsonb: (): ColumnDefinition<unknown> => new ColumnDefinition({ type: "jsonb" }),
  bytea: (): ColumnDefinition<string> => new ColumnDefinition({ type: "bytea" }),
  inet: (): ColumnDefinition<string> => new ColumnDefinition({ type: "inet" }),
  cidr: (): ColumnDefinition<string> => new ColumnDefinition({ type: "cidr" }),
  tsvector: (): ColumnDefinition<string> => new ColumnDefinition({ type: "tsvector" }),
  /** One of `enums`. */
  enum: (name: string): ColumnDefinition<string> => new ColumnDefinition({ type: name, enum: name }),
  /** Any other type, as SQL writes it: `column.type("int4range")`, `column.type("citext")`. */
  type: <Value = unknown>(name: string): ColumnDefinition<Value> => new ColumnDefinition({ type: name }),
};

function modifier(...numbers: readonly (number | undefined)[]): string {
  const given = numbers.filter((number) => number !== undefined);
  return given.length ? `(${given.join(", ")})` : "";
}

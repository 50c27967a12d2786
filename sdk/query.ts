// Made by flux/data/query/typescript.py of the declarations beside it; do not edit.

/** Any row. */
// deno-lint-ignore no-explicit-any
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

export type Quantified<T> = { readonly any: readonly T[] } | { readonly all: readonly T[] };

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
  readonly fts?: string | { readonly query: string; readonly config?: string };
  /** all of these words (`@@ plainto_tsquery`) */
  readonly plfts?: string | { readonly query: string; readonly config?: string };
  /** these words in this order (`@@ phraseto_tsquery`) */
  readonly phfts?: string | { readonly query: string; readonly config?: string };
  /** as typed into a search box (`@@ websearch_to_tsquery`) */
  readonly wfts?: string | { readonly query: string; readonly config?: string };
  /** none of this holds */
  readonly not?: Operators<T>;
}

/** A bare array or object is refused: `in` asks for any of these, `eq` for the thing itself. */
export type Comparable<T> =
  | (T extends object ? never : T)
  | null
  | Operators<NonNullable<T>>;

export interface Related<K extends Link> {
  /** there is a related row for which this holds */
  readonly some?: Where<K["row"], K["links"]>;
  /** there is no related row for which this holds */
  readonly none?: Where<K["row"], K["links"]>;
  /** it holds for all related rows */
  readonly every?: Where<K["row"], K["links"]>;
}

export type Where<R extends object = Row, L extends object = Links> =
  & { readonly and?: readonly Where<R, L>[]; readonly or?: readonly Where<R, L>[]; readonly not?: Where<R, L> }
  & { readonly [C in Exclude<Column<R>, Keyword>]?: Comparable<R[C]> | (string extends C ? RelatedBy<L, C> : never) }
  & { readonly [Name in Exclude<keyof L & string, Keyword | Column<R>>]?: RelatedBy<L, Name> }
  & { readonly [path in Path]?: Comparable<any> };

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

export type NestedBy<L extends object> = {
  [Name in keyof L]: L[Name] extends Link ? Nested<L[Name]> : never;
}[keyof L];

export type Measure<R extends object> =
  | "count"
  | { readonly count: Target<R>; readonly distinct?: boolean }
  | { readonly sum: Target<R>; readonly distinct?: boolean }
  | { readonly avg: Target<R>; readonly distinct?: boolean }
  | { readonly min: Target<R>; readonly distinct?: boolean }
  | { readonly max: Target<R>; readonly distinct?: boolean };

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
  /** the table's name */
  readonly table: string;
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
  readonly after?: { readonly [Name in Target<R>]?: unknown };
  /** true: no two rows alike; columns: the first row for each of their values */
  readonly distinct?: boolean | readonly Column<R>[];
  /** true: the first row or null, not an array */
  readonly one?: boolean;
}

/** Answers a number. */
export interface CountQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */
  readonly table: string;
  /** what to do; "select" when left out */
  readonly operation: "count";
  /** which rows */
  readonly where?: Where<R, L>;
}

/** Answers rows with the aliases; one row without `group_by`. */
export interface AggregateQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */
  readonly table: string;
  /** what to do; "select" when left out */
  readonly operation: "aggregate";
  /** what to compute, by alias */
  readonly aggregates?: { readonly [alias: string]: Measure<R> };
  /** one answer for each of their values */
  readonly group_by?: readonly (Column<R> | { readonly [alias: string]: true | Target<R> })[];
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
  /** the table's name */
  readonly table: string;
  /** what to do; "select" when left out */
  readonly operation: "insert";
  /** a row, or an array of rows */
  readonly data: Partial<R> | readonly Partial<R>[];
  /** fields of the answer; all readable columns when left out */
  readonly returning?: readonly Column<R>[] | { readonly [alias: string]: true | Target<R> };
}

/** Answers the row, or the rows in the order given. */
export interface UpsertQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */
  readonly table: string;
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
  readonly returning?: readonly Column<R>[] | { readonly [alias: string]: true | Target<R> };
}

/** Answers the rows as they are now. */
export interface UpdateQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */
  readonly table: string;
  /** what to do; "select" when left out */
  readonly operation: "update";
  /** which rows */
  readonly where?: Where<R, L>;
  /** true in place of `where`: every row */
  readonly all?: boolean;
  /** the new values */
  readonly data: Partial<R>;
  /** fields of the answer; all readable columns when left out */
  readonly returning?: readonly Column<R>[] | { readonly [alias: string]: true | Target<R> };
}

/** Answers the rows as they were. */
export interface DeleteQuery<R extends object = Row, L extends object = Links> {
  /** the table's name */
  readonly table: string;
  /** what to do; "select" when left out */
  readonly operation: "delete";
  /** which rows */
  readonly where?: Where<R, L>;
  /** true in place of `where`: every row */
  readonly all?: boolean;
  /** fields of the answer; all readable columns when left out */
  readonly returning?: readonly Column<R>[] | { readonly [alias: string]: true | Target<R> };
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

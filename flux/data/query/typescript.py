"""The TypeScript types of a query, made of the declarations: `typescript()`.

Generic over R, the row type of a table, and L, its relations: an interface of `{ row, links }` by relation name. Both
may be left out, then any column and relation goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from .format import (
    COLUMN_PREFIX,
    CONNECTIVES,
    DEFAULT_OPERATION,
    DIRECTIONS,
    MEASURES,
    NEGATION,
    NESTED,
    NULLS,
    OPERATIONS,
    QUANTIFIERS,
    RELATED,
    Key,
    Operation,
)
from .forms import FORMS

MADE = "// Made by flux/data/query/typescript.py of the declarations beside it; do not edit."

_GENERIC = "<R extends object = Row, L extends object = Links>"


def typescript() -> str:
    """A module's text: `Query`, a type per operation, `Where`, `Operators` and what they are made of."""
    return "\n\n".join([MADE, *_foundations(), *_conditions(), *_fields(), *_queries()]) + "\n"


def _foundations() -> Iterator[str]:
    yield "/** Any row. */\n// deno-lint-ignore no-explicit-any\nexport type Row = Record<string, any>;"
    yield (
        "/** What a table's relations lead to, by name: any. */\n"
        "export interface Links {\n  readonly [relation: string]: Link;\n}"
    )
    yield (
        "/** The row type and the relations at the other end of a relation. */\n"
        "export interface Link {\n  readonly row: object;\n  readonly links: object;\n}"
    )
    yield "export type Column<R extends object> = keyof R & string;"
    yield (
        "/** A place in a JSON column (`settings->theme`, `settings->>theme`), or a column called like a keyword. */\n"
        f"export type Path = `${{string}}->${{string}}` | `{COLUMN_PREFIX}${{string}}`;"
    )
    yield "export type Target<R extends object> = Column<R> | Path;"


def _conditions() -> Iterator[str]:
    members = "; ".join(f"readonly {name}: readonly T[]" for name in QUANTIFIERS[:1])
    others = " | ".join(f"{{ readonly {name}: readonly T[] }}" for name in QUANTIFIERS[1:])
    yield f"export type Quantified<T> = {{ {members} }} | {others};"
    yield f"export interface Operators<T = unknown> {FORMS['operators'].typescript}"
    yield (
        "/** A bare array or object is refused: `in` asks for any of these, `eq` for the thing itself. */\n"
        "export type Comparable<T> =\n"
        "  | (T extends object ? never : T)\n"
        "  | null\n"
        "  | Operators<NonNullable<T>>;"
    )
    lines = "".join(
        f"\n  /** {meaning} */\n  readonly {name}?: Where<K['row'], K['links']>;".replace("'", '"')
        for name, meaning in RELATED.items()
    )
    yield f"export interface Related<K extends Link> {{{lines}\n}}"
    connected = _connected("Where<R, L>")
    yield (
        f"export type Where{_GENERIC} =\n"
        f"  & {{ {connected} }}\n"
        "  & { readonly [C in Exclude<Column<R>, Keyword>]?: "
        "Comparable<R[C]> | (string extends C ? RelatedBy<L, C> : never) }\n"
        "  & { readonly [Name in Exclude<keyof L & string, Keyword | Column<R>>]?: RelatedBy<L, Name> }\n"
        "  & { readonly [path in Path]?: Comparable<any> };"
    )
    yield (
        "export type RelatedBy<L extends object, Name> = Name extends keyof L\n"
        "  ? L[Name] extends Link ? Related<L[Name]> : never\n"
        "  : never;"
    )
    keywords = " | ".join(f'"{name}"' for name in (*CONNECTIVES, NEGATION))
    yield f"export type Keyword = {keywords};"
    yield (
        "/** Conditions on aliases of an aggregate's answer. */\n"
        f"export type Having = {{ {_connected('Having')} }} "
        "& { readonly [alias: string]: Comparable<any> | Having | readonly Having[] };"
    )


def _connected(type_name: str) -> str:
    lists = "; ".join(f"readonly {name}?: readonly {type_name}[]" for name in CONNECTIVES)
    return f"{lists}; readonly {NEGATION}?: {type_name}"


def _fields() -> Iterator[str]:
    directions = " | ".join(f'"{name}"' for name in DIRECTIONS)
    nulls = " | ".join(f'"{name}"' for name in NULLS)
    way = f"{directions} | {{ readonly direction?: {directions}; readonly nulls?: {nulls} }}"
    yield f"export type Order<Name extends string> = Name | {{ readonly [C in Name]?: {way} }};"
    yield (f"export type Fields{_GENERIC} = {{\n  readonly [alias: string]: true | Target<R> | NestedBy<L>;\n}};")
    yield (
        "export type NestedBy<L extends object> = {\n"
        "  [Name in keyof L]: L[Name] extends Link ? Nested<L[Name]> : never;\n"
        "}[keyof L];"
    )
    measures = " | ".join(f"{{ readonly {name}: Target<R>; readonly distinct?: boolean }}" for name in MEASURES)
    yield f'export type Measure<R extends object> = "{MEASURES[0]}" | {measures};'
    lines = "".join(_member(key, "K['row'], K['links']".replace("'", '"')) for key in NESTED.keys)
    yield f"/** Related rows: {NESTED.answer}. */\nexport interface Nested<K extends Link> {{{lines}\n}}"


def _queries() -> Iterator[str]:
    for operation in OPERATIONS:
        lines = "".join(_member(key, "R, L", operation) for key in operation.keys)
        yield f"/** Answers {operation.answer}. */\nexport interface {_name(operation)}{_GENERIC} {{{lines}\n}}"
    names = "".join(f"\n  | {_name(operation)}<R, L>" for operation in OPERATIONS)
    yield f"/** What `ctx.db.query` takes. */\nexport type Query{_GENERIC} ={names};"


def _name(operation: Operation) -> str:
    return f"{operation.name.capitalize()}Query"


def _member(key: Key, generic: str, operation: Operation | None = None) -> str:
    """One key of an interface, over `generic` in place of R and L."""
    text = FORMS[key.form].typescript
    optional = not key.required
    if key.name == "operation" and operation is not None:
        text, optional = f'"{operation.name}"', operation.name == DEFAULT_OPERATION
    if generic != "R, L":
        row, links = generic.split(", ")
        text = text.replace("<R, L>", f"<{generic}>").replace("<R>", f"<{row}>").replace("keyof L", f"keyof {links}")
        if key.name == "relation":
            text = "string"  # one of the table that these rows are related to
    return f"\n  /** {key.meaning} */\n  readonly {key.name}{'?' if optional else ''}: {text};"

"""DDL: how each thing of a definition is made. Statements have no semicolon at their end. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .model import Check, Column, Enumeration, ForeignKey, Index, Table, Unique
from .quoting import literal, names, quoted


def create_enumeration(enumeration: Enumeration) -> str:
    return f"CREATE TYPE {quoted(enumeration.name)} AS ENUM ({', '.join(map(literal, enumeration.labels))})"


def column(each: Column) -> str:
    """Its line in CREATE TABLE, or behind ADD COLUMN."""
    parts = [quoted(each.name), each.type]
    if each.generated:
        parts.append(f"GENERATED ALWAYS AS ({each.expression}) {each.generated.upper()}")
    elif each.identity:
        parts.append(f"GENERATED {each.identity.upper()} AS IDENTITY")
    elif each.expression is not None:
        parts.append(f"DEFAULT {each.expression}")
    if not each.nullable:
        parts.append("NOT NULL")
    return " ".join(parts)


def primary_key(columns: tuple[str, ...]) -> str:
    return f"PRIMARY KEY ({names(columns)})"


def unique(each: Unique) -> str:
    nulls = " NULLS NOT DISTINCT" if each.nulls_not_distinct else ""
    return f"{_named(each.name)}UNIQUE{nulls} ({names(each.columns)})"


def check(each: Check) -> str:
    return f"{_named(each.name)}CHECK ({each.expression})"


def foreign_key(each: ForeignKey) -> str:
    text = f"{_named(each.name)}FOREIGN KEY ({names(each.columns)})"
    text += f" REFERENCES {quoted(each.target)} ({names(each.target_columns)})"
    if each.on_delete != "no action":
        text += f" ON DELETE {each.on_delete.upper()}"
    if each.on_update != "no action":
        text += f" ON UPDATE {each.on_update.upper()}"
    return text + (" DEFERRABLE INITIALLY DEFERRED" if each.deferred else "")


def create_table(table: Table) -> str:
    """With everything but its foreign keys, indexes and comments."""
    lines = [column(each) for each in table.columns.values()]
    if table.key:
        lines.append(primary_key(table.key))
    lines += [unique(each) for each in table.uniques]
    lines += [check(each) for each in table.checks]
    return f"CREATE TABLE {quoted(table.name)} (\n    " + ",\n    ".join(lines) + "\n)"


def create_index(table: str, index: Index) -> str:
    what = "UNIQUE INDEX" if index.unique else "INDEX"
    name = f" {quoted(index.name)}" if index.name else ""
    return f"CREATE {what}{name} ON {quoted(table)} USING {index.definition}"


def comments(table: Table) -> Iterator[str]:
    if table.comment is not None:
        yield comment_table(table.name, table.comment)
    for each in table.columns.values():
        if each.comment is not None:
            yield comment_column(table.name, each.name, each.comment)


def comment_table(table: str, text: str | None) -> str:
    return f"COMMENT ON TABLE {quoted(table)} IS {_text(text)}"


def comment_column(table: str, name: str, text: str | None) -> str:
    return f"COMMENT ON COLUMN {quoted(table)}.{quoted(name)} IS {_text(text)}"


def alter(table: str, *actions: str) -> str:
    return (
        f"ALTER TABLE {quoted(table)}\n    " + ",\n    ".join(actions)
        if len(actions) > 1
        else (f"ALTER TABLE {quoted(table)} {actions[0]}")
    )


def _text(text: str | None) -> str:
    return "NULL" if text is None else literal(text)


def _named(name: str | None) -> str:
    return f"CONSTRAINT {quoted(name)} " if name else ""

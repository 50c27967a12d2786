"""What `defineSchema` was given, as JSON, read into a `Definition` whose SQL is still the author's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from flux.errors import ConfigError

from .model import ACTIONS, Action, Check, Column, Definition, Enumeration, ForeignKey, Index, Table, Unique
from .quoting import literal, quoted

# Postgres cuts longer names off, and two that differ behind the cut would be one.
NAME_BYTES = 63
Json = Mapping[str, Any]
_MEANT = "write `export default defineSchema({ tables: { ... } })`"


def read_documents(documents: Iterable[tuple[str, Any]]) -> Definition:
    """One schema out of all files: (the file's name, its JSON). Raises ConfigError naming file, table and column."""
    read = _Documents()
    for file, document in documents:
        try:
            read.add(file, document)
        except (AttributeError, KeyError, TypeError):
            raise ConfigError(f"{file}: {_MEANT}; what it holds is not made by table() and column.") from None
    definition = Definition(tables=read.tables, enumerations=read.enumerations, ignore=tuple(read.ignore))
    _check_references(definition)
    return definition


class _Documents:
    """Everything that the files declare, as far as they have been read."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.enumerations: dict[str, Enumeration] = {}
        self.ignore: list[str] = []

    def add(self, file: str, document: Any) -> None:
        if not isinstance(document, Mapping) or not isinstance(document.get("tables"), Mapping):
            raise ConfigError(f"{file}: {_MEANT}.")
        for name, labels in (document.get("enums") or {}).items():
            if name in self.enumerations:
                raise ConfigError(f'{file}: enumeration "{name}" is declared twice.')
            self.enumerations[name] = _enumeration(file, name, labels)
        for name, table in document["tables"].items():
            if name in self.tables:
                raise ConfigError(f'{file}: table "{name}" is declared twice.')
            self.tables[name] = _Reader(file, name).table(table)
        ignore = document.get("ignore") or []
        if not isinstance(ignore, list):
            raise ConfigError(f"{file}: ignore is a list of patterns.")
        self.ignore += ignore


def _enumeration(file: str, name: str, labels: Any) -> Enumeration:
    where = f'{file}: enumeration "{name}"'
    _check_name(where, name)
    if not isinstance(labels, list | tuple) or not all(isinstance(label, str) and label for label in labels):
        raise ConfigError(f"{where} needs a list of labels.")
    if len(set(labels)) != len(labels):
        raise ConfigError(f"{where} has a label twice.")
    return Enumeration(name=name, labels=tuple(labels))


def _check_name(where: str, name: str) -> None:
    if not name or "\0" in name or len(name.encode()) > NAME_BYTES:
        raise ConfigError(f"{where}: a name has 1 to {NAME_BYTES} bytes.")


class _Reader:
    """Reads one table."""

    def __init__(self, file: str, name: str) -> None:
        self._where = f'{file}: table "{name}"'
        self._name = name

    def table(self, given: Json) -> Table:
        _check_name(self._where, self._name)
        options = given.get("options") or {}
        columns = {name: self._column(name, column) for name, column in given["columns"].items()}
        key = self._key(given["columns"], options, columns)
        return Table(
            name=self._name,
            # Columns of a primary key are NOT NULL whatever is said.
            columns={
                name: replace(column, nullable=False) if name in key else column for name, column in columns.items()
            },
            key=key,
            uniques=tuple(self._uniques(given["columns"], options, columns)),
            checks=tuple(self._checks(given["columns"], options)),
            indexes=tuple(self._index(index, columns) for index in options.get("indexes") or ()),
            foreign_keys=tuple(self._foreign_keys(given["columns"], options, columns)),
            comment=options.get("comment"),
            renamed_from=options.get("renamedFrom"),
        )

    def _column(self, name: str, given: Json) -> Column:
        _check_name(f'{self._where}, column "{name}"', name)
        type_ = quoted(given["enum"]) if "enum" in given else given["type"]
        type_ += "[]" * given.get("dimensions", 0)
        generated = given.get("generated")
        identity = given.get("identity", "")
        chosen = [what for what in ("default", "identity", "generated") if what in given]
        if len(chosen) > 1:
            raise ConfigError(f'{self._where}, column "{name}": {" and ".join(chosen)} exclude each other.')
        return Column(
            name=name,
            type=type_,
            nullable=bool(given.get("nullable")) and not identity,
            expression=generated["sql"] if generated else _default(given, type_),
            generated=("stored" if generated["stored"] else "virtual") if generated else "",
            identity=identity,
            comment=given.get("comment"),
            renamed_from=given.get("renamedFrom"),
        )

    def _key(self, given: Json, options: Json, columns: Mapping[str, Column]) -> tuple[str, ...]:
        single = [name for name, column in given.items() if column.get("primaryKey")]
        listed = self._known("primaryKey", options.get("primaryKey") or (), columns)
        if len(single) > 1 or (single and listed):
            raise ConfigError(f"{self._where}: a key of several columns is written `primaryKey: [...]` in the options.")
        return tuple(single) or listed

    def _uniques(self, given: Json, options: Json, columns: Mapping[str, Column]) -> Iterable[Unique]:
        yield from (Unique(columns=(name,)) for name, column in given.items() if column.get("unique"))
        for each in options.get("unique") or ():
            unique = each if isinstance(each, Mapping) else {"columns": each}
            yield Unique(
                columns=self._known("unique", unique["columns"], columns),
                nulls_not_distinct=bool(unique.get("nullsNotDistinct")),
                name=unique.get("name"),
            )

    def _checks(self, given: Json, options: Json) -> Iterable[Check]:
        yield from (Check(expression=column["check"]) for column in given.values() if "check" in column)
        yield from (Check(expression=_sql(each), name=name) for name, each in (options.get("checks") or {}).items())

    def _index(self, given: Json, columns: Mapping[str, Column]) -> Index:
        plain = [part for part in given["columns"] if isinstance(part, str)]
        self._known("index", [*plain, *(given.get("include") or ())], columns)
        parts = ", ".join(quoted(part) if isinstance(part, str) else part["sql"] for part in given["columns"])
        definition = f"{quoted(given.get('method') or 'btree')} ({parts})"
        if given.get("include"):
            definition += f" INCLUDE ({', '.join(map(quoted, given['include']))})"
        if given.get("where"):
            definition += f" WHERE ({_sql(given['where'])})"
        return Index(definition=definition, unique=bool(given.get("unique")), name=given.get("name"))

    def _foreign_keys(self, given: Json, options: Json, columns: Mapping[str, Column]) -> Iterable[ForeignKey]:
        for name, column in given.items():
            if reference := column.get("references"):
                yield self._foreign_key(reference, (name,), reference["table"], (reference["column"],))
        for each in options.get("foreignKeys") or ():
            target = each["references"]
            own = self._known("foreignKeys", each["columns"], columns)
            yield self._foreign_key(each, own, target["table"], tuple(target["columns"]))

    def _foreign_key(
        self, given: Json, columns: tuple[str, ...], target: str, target_columns: tuple[str, ...]
    ) -> ForeignKey:
        if len(columns) != len(target_columns):
            raise ConfigError(f"{self._where}: {columns} refer to as many columns of {target}, not {target_columns}.")
        return ForeignKey(
            columns=columns,
            target=target,
            target_columns=target_columns,
            on_delete=self._action(given.get("onDelete")),
            on_update=self._action(given.get("onUpdate")),
            deferred=bool(given.get("deferred")),
            name=given.get("name"),
        )

    def _action(self, given: str | None) -> Action:
        for action in ACTIONS:
            if action == (given or "no action"):
                return action
        raise ConfigError(f"{self._where}: a reference's action is one of {', '.join(ACTIONS)}, not {given}.")

    def _known(self, what: str, names: Sequence[str], columns: Mapping[str, Column]) -> tuple[str, ...]:
        for name in names:
            if name not in columns:
                raise ConfigError(f'{self._where}: {what} names "{name}", which is not one of its columns.')
        return tuple(names)


def _sql(given: Any) -> str:
    return given if isinstance(given, str) else str(given["sql"])


def _default(given: Json, type_: str) -> str | None:
    default = given.get("default")
    if default is None:
        return None
    if "sql" in default:
        return str(default["sql"])
    value = default.get("value")
    if given["type"] in ("json", "jsonb") and not given.get("dimensions"):
        return f"{literal(orjson.dumps(value).decode())}::{type_}"
    return None if value is None else f"{_constant(value)}::{type_}"


def _constant(value: Any) -> str:
    """As Postgres' text of a value, quoted."""
    return literal(_array(value) if isinstance(value, list) else _text(value))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _array(values: Sequence[Any]) -> str:
    def element(value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, list):
            return _array(value)
        return '"' + _text(value).replace("\\", "\\\\").replace('"', '\\"') + '"'

    return "{" + ",".join(map(element, values)) + "}"


def _check_references(definition: Definition) -> None:
    """Every foreign key leads to columns that there are. Tables that are ignored cannot be looked into."""
    for table in definition.tables.values():
        for key in table.foreign_keys:
            target = definition.tables.get(key.target)
            if target is None and not definition.ignores(key.target):
                raise ConfigError(
                    f'Table "{table.name}" refers to "{key.target}", which no schema declares; a table that something '
                    "else looks after belongs into `ignore`."
                )
            for name in key.target_columns if target else ():
                if target and name not in target.columns:
                    raise ConfigError(f'Table "{table.name}" refers to "{key.target}.{name}", which does not exist.')

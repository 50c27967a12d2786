"""The rows of introspect.sql as a schema. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import takewhile
from operator import itemgetter
from typing import Any

import orjson

from .column_type import column_type
from .model import Column, Computed, Generated, Index, Kind, Relation, Schema, Table
from .relations import ForeignKey, relations, unique_columns

_KINDS: dict[str, Kind] = {
    "r": "table",
    "p": "partitioned",
    "v": "view",
    "m": "materialized_view",
    "f": "foreign",
}
# attidentity and attgenerated, of which a column has one at most.
_GENERATED: dict[str, Generated] = {
    "": "",
    "s": "stored",
    "v": "virtual",
    "a": "identity_always",
    "d": "identity_by_default",
}
# Row estimates change with every ANALYZE, and no statement depends on them; expressions are with their columns.
_UNVERSIONED = frozenset(("estimates", "expressions"))

# name, type, modifier, strict, generated, value, comment: all there is to say of a column.
_Content = tuple[str, int, int, bool, str, str | None, str | None]


def assemble(rows: Iterable[Any]) -> Schema:
    """The rows of introspect.sql (records, or tuples in that order) as a schema."""
    attributes: dict[int, list[Any]] = defaultdict(list)
    sections: dict[str, list[Any]] = {}
    for row in rows:
        if row[0] is None:
            # Sorted: in which order Postgres found things must not count.
            sections[row[2]] = sorted(orjson.loads(row[7] or "[]"))
        else:
            attributes[row[0]].append(row)
    return _Assembly(attributes, sections).schema()


class _Assembly:
    """One reading, by the OIDs of tables and the numbers of columns as the catalogue has them."""

    def __init__(self, attributes: Mapping[int, list[Any]], sections: Mapping[str, list[Any]]) -> None:
        self._sections = sections
        self._relations = {oid: (schema, name, kind) for oid, schema, name, kind in sections["relations"]}
        self._types = {(row[0], row[1]): column_type(row) for row in sections["types"]}
        self._comments = _by_number(sections["comments"])
        self._estimates: dict[int, int] = dict(sections["estimates"])
        self._rewritten = {oid for (oid,) in sections["rewritten"]}
        self._shows = self._read_shows()
        self._checked = {oid for (oid,) in sections["checked"]}
        self._names: dict[int, dict[int, str]] = {}
        self._contents: dict[int, list[_Content]] = {}
        self._read_attributes(attributes)
        # Most columns of a large schema are like many others (id, created_at): each is made once.
        self._made: dict[_Content, Column] = {}
        self._columns = {oid: self._make_columns(contents) for oid, contents in self._contents.items()}
        self._keys = {oid: self._named(oid, numbers) for oid, numbers in sections["keys"]}
        self._indexes = self._read_indexes()
        self._computed = self._read_computed()
        self._related = self._read_relations()

    def schema(self) -> Schema:
        tables = {name: self._table(oid, schema, name, kind) for oid, (schema, name, kind) in self._relations.items()}
        return Schema(tables=dict(sorted(tables.items())), version=self._version())

    def _table(self, oid: int, schema: str, name: str, kind: str) -> Table:
        return Table(
            schema=schema,
            name=name,
            columns=self._columns.get(oid, {}),
            key=self._keys.get(oid, ()),
            oid=oid,
            kind=_KINDS[kind],
            relations=self._related.get(name, {}),
            indexes=self._indexes.get(oid, ()),
            computed=self._computed.get(oid, {}),
            rows=max(self._estimates.get(oid, 0), 0),
            rewritten=oid in self._rewritten,
            checked=oid in self._checked,
            shows=self._shows.get(oid, frozenset()),
            comment=self._comments.get(oid, {}).get(0),
        )

    def _read_attributes(self, attributes: Mapping[int, list[Any]]) -> None:
        """There are thousands of them: what is done to each is done by zip and map."""
        expressions = _by_number(
            (oid, number, text)
            for text, oids, numbers in self._sections["expressions"]
            for oid, number in zip(oids, numbers, strict=True)
        )
        for oid, rows in sorted(attributes.items()):
            rows.sort(key=itemgetter(1))
            _, numbers, names, *others, _ = zip(*rows, strict=True)
            values = map(expressions.get(oid, {}).get, numbers)
            comments = map(self._comments.get(oid, {}).get, numbers)
            self._names[oid] = dict(zip(numbers, names, strict=True))
            self._contents[oid] = list(zip(names, *others, values, comments, strict=True))

    def _make_columns(self, contents: Iterable[_Content]) -> dict[str, Column]:
        made = self._made
        return {content[0]: made.get(content) or self._new_column(content) for content in contents}

    def _new_column(self, content: _Content) -> Column:
        name, type_oid, modifier, strict, generated, value, comment = content
        found = self._types[type_oid, modifier]
        self._made[content] = column = Column(
            name=name,
            codec=found.codec,
            type=found.text,
            family=found.family,
            nullable=not (strict or found.strict),
            default=value if value is not None or generated else found.default,
            generated=_GENERATED[generated],
            domain=found.domain,
            enum=found.labels,
            comment=comment,
        )
        return column

    def _named(self, oid: int, numbers: Iterable[int]) -> tuple[str, ...]:
        return tuple(map(self._names[oid].__getitem__, numbers))

    def _read_indexes(self) -> dict[int, tuple[Index, ...]]:
        found: dict[int, list[Index]] = defaultdict(list)
        for oid, name, key, width, unique, method, partial in self._sections["indexes"]:
            # An expression has number 0, a system column one below.
            numbers = list(takewhile(lambda number: number > 0, key[:width]))
            index = Index(
                name=name,
                columns=self._named(oid, numbers),
                unique=unique and len(numbers) == width,
                method=method,
                partial=partial,
            )
            found[oid].append(index)
        return {oid: tuple(indexes) for oid, indexes in found.items()}

    def _read_shows(self) -> dict[int, frozenset[str]]:
        found: dict[int, set[str]] = defaultdict(set)
        for oid, shown in self._sections["shows"]:
            found[oid].add(shown)
        return {oid: frozenset(names) for oid, names in found.items()}

    def _read_computed(self) -> dict[int, dict[str, Computed]]:
        found: dict[int, dict[str, Computed]] = defaultdict(dict)
        for oid, schema, name, type_oid in self._sections["computed"]:
            if name in self._columns.get(oid, {}):
                continue  # the column goes first, as it does in Postgres
            returned = self._types[type_oid, -1]
            found[oid][name] = Computed(
                name=name,
                schema=schema,
                function=name,
                codec=returned.codec,
                type=returned.text,
                family=returned.family,
            )
        return found

    def _read_relations(self) -> dict[str, dict[str, Relation]]:
        keys = [
            ForeignKey(
                constraint=constraint,
                holder=self._relations[holder][1],
                columns=self._named(holder, columns),
                target=self._relations[target][1],
                target_columns=self._named(target, target_columns),
            )
            for constraint, holder, columns, target, target_columns in self._sections["foreign_keys"]
        ]
        taken, unique = {}, {}
        for oid, (_, name, _) in self._relations.items():
            taken[name] = {**self._columns.get(oid, {}), **self._computed.get(oid, {})}
            unique[name] = unique_columns(self._keys.get(oid, ()), self._indexes.get(oid, ()))
        return relations(keys, taken=taken, unique=unique)

    def _version(self) -> str:
        """A hash of everything but the estimates."""
        digest = hashlib.blake2b(digest_size=16)
        for oid, contents in self._contents.items():
            digest.update(orjson.dumps([oid, list(self._names[oid]), contents]))
        for name in sorted(self._sections.keys() - _UNVERSIONED):
            digest.update(orjson.dumps([name, self._sections[name]]))
        return digest.hexdigest()


def _by_number(rows: Iterable[tuple[int, int, str]]) -> dict[int, dict[int, str]]:
    """What there is of columns, by the table's OID and the column's number."""
    found: dict[int, dict[int, str]] = defaultdict(dict)
    for oid, number, text in rows:
        found[oid][number] = text
    return found

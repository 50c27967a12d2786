"""Reads the tables of a database: one statement (introspect.sql), put together here. Only `read_schema` does I/O."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import orjson

from flux.data.types.codec import Codec, codec
from flux.data.types.family import Family, family

from .model import Column, Computed, Generated, Index, Kind, Relation, Schema, Table
from .relations import ForeignKey, relations, unique_columns

if TYPE_CHECKING:
    from flux.store.pool import Connection

# Flux's own, and Postgres' own.
EXCLUDED = ("flux", "flux_auth", "pg_catalog", "information_schema")

QUERY = files(__package__).joinpath("introspect.sql").read_text("utf-8")
_FINGERPRINT = files(__package__).joinpath("fingerprint.sql").read_text("utf-8")
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
# Row estimates change with every ANALYZE, and no statement depends on them.
_UNVERSIONED = frozenset(("estimates",))

# relation, number, name, type, modifier, strict, generated, value: as introspect.sql has them.
_Attribute = tuple[int, int, str, int, int, bool, str, str | None]


async def read_schema(conn: Connection, *, exclude: Sequence[str] = EXCLUDED, partitions: bool = False) -> Schema:
    """Every table and view of the connection's search path. `partitions`: those of partitioned tables, too."""
    return assemble(await conn.fetch(QUERY, list(exclude), partitions))


async def read_fingerprint(conn: Connection) -> int:
    """A number that is another one after any DDL: cheap enough to ask for every second (0.1 ms).

    DDL of a session that had done some less than a second before is seen when that session ends or has been idle for
    10 s, unless it ran FLUSH_FINGERPRINT. Rolled back DDL and temporary tables change it, too.
    """
    return int(await conn.fetchval(_FINGERPRINT) or 0)


# For sessions that do DDL and want it seen by others at once: their counts go out with the end of this statement.
FLUSH_FINGERPRINT = "SELECT pg_catalog.pg_stat_force_next_flush()"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Type:
    """A type with its modifier, domains resolved. `domain`, `strict` and `default` are those of the domain, if any."""

    codec: Codec
    text: str
    family: Family
    domain: str | None
    strict: bool
    default: str | None
    labels: tuple[str, ...]


def assemble(rows: Iterable[Any]) -> Schema:
    """The rows of introspect.sql (records, or tuples in that order) as a schema."""
    attributes: dict[int, list[_Attribute]] = defaultdict(list)
    sections: dict[str, list[Any]] = {}
    for row in rows:
        if row[1] is None:
            # Sorted: in which order Postgres found things must not count.
            sections[row[2]] = sorted(orjson.loads(row[7] or "[]"))
        else:
            attributes[row[0]].append(tuple(row))
    for columns in attributes.values():
        columns.sort()
    return _Assembly(attributes, sections).schema()


class _Assembly:
    """One reading, by the OIDs of tables and the numbers of columns as the catalogue has them."""

    def __init__(self, attributes: Mapping[int, Sequence[_Attribute]], sections: Mapping[str, list[Any]]) -> None:
        self._attributes = attributes
        self._sections = sections
        self._relations = {oid: (schema, name, kind) for oid, schema, name, kind in sections["relations"]}
        self._names = {oid: {row[1]: row[2] for row in columns} for oid, columns in attributes.items()}
        self._types = {(row[0], row[1]): _type(row) for row in sections["types"]}
        self._comments = {(oid, number): text for oid, number, text in sections["comments"]}
        self._estimates: dict[int, int] = dict(sections["estimates"])
        self._rewritten = {oid for (oid,) in sections["rewritten"]}
        self._checked = {oid for (oid,) in sections["checked"]}
        self._keys = {oid: self._columns(oid, numbers) for oid, numbers in sections["keys"]}
        self._indexes = self._read_indexes()
        self._computed = self._read_computed()
        self._related = self._read_relations()
        # Most columns of a large schema are like many others (id, created_at): each is made once.
        self._made: dict[tuple[Any, ...], Column] = {}

    def schema(self) -> Schema:
        tables = {name: self._table(oid, schema, name, kind) for oid, (schema, name, kind) in self._relations.items()}
        return Schema(tables=dict(sorted(tables.items())), version=self._version())

    def _table(self, oid: int, schema: str, name: str, kind: str) -> Table:
        return Table(
            schema=schema,
            name=name,
            columns={row[2]: self._column(row) for row in self._attributes.get(oid, ())},
            key=self._keys.get(oid, ()),
            oid=oid,
            kind=_KINDS[kind],
            relations=self._related.get(name, {}),
            indexes=self._indexes.get(oid, ()),
            computed=self._computed.get(oid, {}),
            rows=max(self._estimates.get(oid, 0), 0),
            rewritten=oid in self._rewritten,
            checked=oid in self._checked,
            comment=self._comments.get((oid, 0)),
        )

    def _column(self, row: _Attribute) -> Column:
        comment = self._comments.get((row[0], row[1])) if self._comments else None
        key = (row[2:], comment)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = self._new_column(row, comment)
        return made

    def _new_column(self, row: _Attribute, comment: str | None) -> Column:
        _, _, name, type_oid, modifier, strict, generated, value = row
        found = self._types[type_oid, modifier]
        return Column(
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

    def _columns(self, oid: int, numbers: Iterable[int]) -> tuple[str, ...]:
        names = self._names[oid]
        return tuple(names[number] for number in numbers)

    def _read_indexes(self) -> dict[int, tuple[Index, ...]]:
        found: dict[int, list[Index]] = defaultdict(list)
        for oid, name, key, width, unique, method, partial in self._sections["indexes"]:
            numbers = [int(number) for number in key.split()[:width]]
            # An expression has number 0, a system column one below.
            plain = next((at for at, number in enumerate(numbers) if number <= 0), width)
            index = Index(
                name=name,
                columns=self._columns(oid, numbers[:plain]),
                unique=unique and plain == width,
                method=method,
                partial=partial,
            )
            found[oid].append(index)
        return {oid: tuple(indexes) for oid, indexes in found.items()}

    def _read_computed(self) -> dict[int, dict[str, Computed]]:
        found: dict[int, dict[str, Computed]] = defaultdict(dict)
        for oid, schema, name, type_oid in self._sections["computed"]:
            if name in self._names.get(oid, {}).values():
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
                columns=self._columns(holder, columns),
                target=self._relations[target][1],
                target_columns=self._columns(target, target_columns),
            )
            for constraint, holder, columns, target, target_columns in self._sections["foreign_keys"]
        ]
        taken, unique = {}, {}
        for oid, (_, name, _) in self._relations.items():
            taken[name] = {*self._names.get(oid, {}).values(), *self._computed.get(oid, ())}
            unique[name] = unique_columns(self._keys.get(oid, ()), self._indexes.get(oid, ()))
        return relations(keys, taken=taken, unique=unique)

    def _version(self) -> str:
        """A hash of everything but the estimates."""
        digest = hashlib.blake2b(orjson.dumps(sorted(self._attributes.items())), digest_size=16)
        for name in sorted(self._sections.keys() - _UNVERSIONED):
            digest.update(orjson.dumps([name, self._sections[name]]))
        return digest.hexdigest()


def _type(row: Any) -> _Type:
    _, _, text, sql, domain, strict, default, name, typtype, built_in, array, labels = row
    known = name if built_in or name == "citext" else "enum" if typtype == "e" else ""
    return _Type(
        codec=codec(known, sql=sql, array=array, labels=tuple(labels or ())),
        text=text,
        family=family(known, typtype=typtype, array=array),
        domain=domain,
        strict=strict,
        default=default,
        labels=tuple(labels or ()),
    )

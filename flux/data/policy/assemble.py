"""All active documents and the schema -> `Policies`. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import orjson

from flux.data.query.model import ALWAYS, Condition, Every, Not, Related, Some
from flux.data.schema.model import Schema, Table
from flux.failure import HostError

from .document import Document, read_document
from .model import ANYBODY, OPERATIONS, Grant, Policies, TablePolicy

# Raised when documents come to mean something else, so that nothing compiled before stays in use.
FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Assembled:
    """`problems` by table: why its document does not fit the schema (any more). Such a table is denied to all."""

    policies: Policies
    problems: Mapping[str, str]


def assemble(documents: Mapping[str, Document], schema: Schema, *, lost: Collection[str] = ()) -> Assembled:
    """Never raises for a document: a policy that cannot be read must not open its table. `lost`: tables with policies
    that were moved out of the search path, with their schema.
    """
    tables: dict[str, TablePolicy] = {}
    problems: dict[str, str] = {}
    for name in sorted(documents):
        try:
            tables[name] = read_document(name, documents[name], schema)
        except HostError as error:
            tables[name] = _closed(name, documents[name])
            problems[name] = error.message
    for name, message in _circles(tables, schema):
        problems.setdefault(name, message)
    for name in problems:
        tables[name] = _closed(name, documents[name])
    hidden = {*tables, *lost}
    closed = frozenset(
        name for name, table in schema.tables.items() if name not in tables and not table.shows.isdisjoint(hidden)
    )
    made = Policies(tables=tables, closed=closed, version=version(documents, schema))
    return Assembled(policies=made, problems=problems)


def _closed(table: str, document: Document) -> TablePolicy:
    """Nobody may do anything; what was to be masked stays masked, as the table can still change by other ways."""
    masked = document.get("masked") if isinstance(document, Mapping) else None
    names = masked if isinstance(masked, list) else ()
    return TablePolicy(table=table, masked=frozenset(name for name in names if isinstance(name, str)))


def version(documents: Mapping[str, Document], schema: Schema) -> str:
    """The hash of everything that Policies are made of; "" when there are none."""
    if not documents:
        return ""
    content = orjson.dumps([FORMAT, documents, schema.version], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()[:32]


def check(documents: Mapping[str, Document], table: str, document: Document, schema: Schema) -> Policies:
    """All policies with this document as the table's. Raises 400 POLICY_INVALID, or UNKNOWN_TABLE, for that one."""
    read_document(table, document, schema)
    made = assemble({**documents, table: document}, schema)
    if table in made.problems:
        raise HostError("POLICY_INVALID", 400, made.problems[table], {"table": table})
    return made.policies


def _circles(tables: Mapping[str, TablePolicy], schema: Schema) -> Iterator[tuple[str, str]]:
    """Tables with a condition that depends on rows of the same table, which depend on a condition: that has no answer
    where the role may not read all of them.
    """
    policies = Policies(tables=tables)
    for role in sorted({role for policy in tables.values() for role, _ in policy.grants} | {ANYBODY}):
        edges = looks_into(policies, role, schema)
        for name in sorted(tables):
            reading = policies.grant(name, role, "select")
            if reading is None or reading.where == ALWAYS:
                continue
            for operation in OPERATIONS:
                grant = policies.grant(name, role, operation)
                starts = (
                    of_grant(grant, schema.table(name), schema) if grant is not None and name in schema.tables else ()
                )
                path = way_to(name, starts, edges)
                if path:
                    circle = " -> ".join((name, *path))
                    yield name, f"{role}.{operation}: the condition depends on itself: {circle}"


def looks_into(policies: Policies, role: str, schema: Schema) -> dict[str, set[str]]:
    """For each table with a policy: the tables whose rows decide which of its rows the role may read."""
    edges: dict[str, set[str]] = {}
    for name in policies.tables:
        grant = policies.grant(name, role, "select")
        table = schema.tables.get(name)
        edges[name] = set(related(grant.where, table, schema)) if grant is not None and table is not None else set()
    return edges


def of_grant(grant: Grant, table: Table, schema: Schema) -> set[str]:
    """The tables that a grant's conditions look into."""
    found = set(related(grant.where, table, schema))
    return found if grant.check is None else found | set(related(grant.check, table, schema))


def related(condition: Condition, table: Table, schema: Schema) -> Iterator[str]:
    """The tables that a condition looks into."""
    match condition:
        case Related(relation, _, where):
            name = table.relation(relation).target
            yield name
            yield from related(where, schema.table(name), schema)
        case Not(term):
            yield from related(term, table, schema)
        case Every(terms) | Some(terms):
            for term in terms:
                yield from related(term, table, schema)


def way_to(goal: str, starts: Iterable[str], edges: Mapping[str, set[str]]) -> list[str]:
    """A path from one of `starts` to `goal`, or nothing."""
    waiting = [[start] for start in sorted(starts)]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path[-1] == goal:
            return path
        if path[-1] not in seen:
            seen.add(path[-1])
            waiting += [[*path, target] for target in sorted(edges.get(path[-1], ()))]
    return []

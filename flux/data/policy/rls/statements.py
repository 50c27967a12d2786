"""Policies -> grants and row-level security of Postgres. Pure.

For each table with a policy and each principal and operation granted to it:

- a GRANT of the columns;
- a permissive policy that is true, so that there is one at all;
- a restrictive policy with the condition, which also asks for the verified role. It is restrictive because permissive
  ones are joined by OR, and a policy of the team's own must not open what Flux' policy closes.

Tables without a policy are granted whole, unless rows of a table with one can be seen through them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flux.data.policy.assemble import looks_into, of_grant, way_to
from flux.data.policy.explain import written
from flux.data.policy.model import ANYBODY, OPERATIONS, Grant, Operation, Policies
from flux.data.schema.model import Schema, Table

from .condition import Unreadable, Writer, constant, name
from .model import SCHEMAS, Relation, Script
from .names import Principal, principals

_ORDINARY = ("r", "p")
# On what is not protected: tables, sequences. TRUNCATE and setval go beyond rows, into what others rely on.
_RIGHTS = ("SELECT, INSERT, UPDATE, DELETE", "USAGE")
_ALL_RIGHTS = ("SELECT, INSERT, UPDATE, DELETE, TRUNCATE", "USAGE, SELECT, UPDATE")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Share:
    """What one Flux role (or all that no policy names) may do in one operation, as one principal."""

    principal: str
    operation: Operation
    grant: Grant
    using: str
    check: str


def script(
    schema: Schema,
    policies: Policies,
    relations: Sequence[Relation],
    *,
    login: str,
    single: bool = False,
) -> Script:
    """Without any policy there are no rows to protect: then it takes back what was claimed before, and grants more."""
    wanted = principals(login, policies, single=single)
    everybody = ", ".join(sorted({name(login), *(name(principal.name) for principal in wanted)}))
    by_oid = {relation.oid: relation for relation in relations}
    protected = _protected(schema, policies, relations)
    # Moved out of the search path: no policy can name it there, and nobody meant to open it.
    lost = {relation.oid for relation in relations if relation.policed and relation.oid not in protected}
    closed = _closed(lost | set(protected), by_oid) | lost
    statements = {
        SCHEMAS: tuple(
            f"GRANT USAGE ON SCHEMA {name(each)} TO {everybody}"
            for each in sorted({relation.schema for relation in relations if relation.ours})
        )
    }
    warnings: list[str] = []
    claimed: list[int] = []
    for relation in sorted(relations, key=lambda each: (each.schema, each.name)):
        table = protected.get(relation.oid)
        why = _without_rights(relation, table, closed)
        if why:
            warnings.append(f"{relation.schema}.{relation.name} {why}: raw SQL gets no rights on it")
        if not relation.ours:
            continue
        own = list(_reset(relation, everybody))
        if table is not None and relation.kind in _ORDINARY:
            shares = [] if why else list(_shares(schema, policies, table, wanted, warnings))
            own += _protect(relation, shares, login)
            if relation.claimed or not relation.secured:
                claimed.append(relation.oid)
        elif not why:
            rights = _RIGHTS if policies.tables else _ALL_RIGHTS
            own.append(f"GRANT {rights[relation.kind == 'S']} ON {_full(relation)} TO {everybody}")
        statements[relation.oid] = tuple(own)
    return Script(statements=statements, claimed=tuple(claimed), warnings=tuple(warnings))


def _protected(schema: Schema, policies: Policies, relations: Sequence[Relation]) -> dict[int, Table]:
    """The tables with a policy, by oid. One that is in no search path has a name that no policy can say."""
    by_name = {(relation.schema, relation.name): relation for relation in relations if relation.kind != "S"}
    found = {}
    for key in policies.tables:
        table = schema.tables.get(key)
        relation = by_name.get((table.schema, table.name)) if table is not None else None
        if table is not None and relation is not None:
            found[relation.oid] = table
    return found


def _closed(protected: set[int], by_oid: Mapping[int, Relation]) -> set[int]:
    """What shows rows of protected tables without their policies: children, parents, views with an owner's rights."""
    closed: set[int] = set()
    changed = True
    while changed:
        behind = closed | protected
        found = {
            relation.oid
            for relation in by_oid.values()
            if behind & {*relation.parents, *relation.reads}
            or any(relation.oid in by_oid[oid].parents for oid in behind if oid in by_oid)
        }
        changed = not found <= closed
        closed |= found
    return closed


def _without_rights(relation: Relation, table: Table | None, closed: set[int]) -> str:
    """Why raw SQL gets no rights on it, in words; "" when it does. Tables without a policy may show those that have."""
    if table is None:
        if relation.oid not in closed:
            return ""
        public = "; it is granted to PUBLIC, which must be revoked" if relation.public else ""
        why = (
            "has a policy, but is in no schema of the search path"
            if relation.policed
            else "shows rows of tables with policies"
        )
        return f"{why}{public}"
    if not relation.ours:
        return "belongs to another user"
    if relation.kind not in _ORDINARY:
        return "is a view or a foreign table, which have no row-level security"
    if relation.public:
        return "is granted to PUBLIC, which opens all its columns (revoke that)"
    return "is part of another table" if relation.oid in closed and relation.parents else ""


def _reset(relation: Relation, everybody: str) -> Iterator[str]:
    yield f"REVOKE ALL ON {_full(relation)} FROM {everybody}"  # column rights, too
    for policy in relation.policies:
        yield f"DROP POLICY IF EXISTS {name(policy)} ON {_full(relation)}"
    if relation.claimed:
        yield f"ALTER TABLE {_full(relation)} DISABLE ROW LEVEL SECURITY"


def _shares(
    schema: Schema, policies: Policies, table: Table, wanted: Iterable[Principal], warnings: list[str]
) -> Iterator[_Share]:
    key = next(key for key, each in schema.tables.items() if each is table)
    for principal in wanted:
        for role in (ANYBODY,) if principal.others else sorted(principal.roles):
            writer = Writer(schema=schema, policies=policies, role=role)
            edges = looks_into(policies, role, schema)
            for operation in OPERATIONS:
                grant = policies.grant(key, role, operation)
                if grant is None:
                    continue
                try:
                    if way_to(key, of_grant(grant, table, schema), edges):
                        raise Unreadable("a condition looks at the table itself, which row-level security cannot,")
                    using, check = (
                        f"{_role_is(principal, role)} AND ({writer.write(condition, table)})"
                        for condition in (grant.where, written(grant, operation))
                    )
                except Unreadable as error:
                    warnings.append(f"{key}: {error} for {role}: its raw SQL may not {operation} there")
                    continue
                yield _Share(
                    principal=principal.name,
                    operation=operation,
                    grant=_stored(grant, table),
                    using=using,
                    check=check,
                )


def _stored(grant: Grant, table: Table) -> Grant:
    """The grant without computed columns, on which Postgres has no rights."""
    stored = frozenset(table.columns)
    return replace(
        grant,
        readable=None if grant.readable is None else grant.readable & stored,
        writable=None if grant.writable is None else grant.writable & stored,
    )


def _role_is(principal: Principal, role: str) -> str:
    if not principal.others:
        return f"(SELECT flux_auth.role()) = {constant(role)}"
    if not principal.roles:
        return "(SELECT flux_auth.role()) IS NOT NULL"
    named = ", ".join(constant(each) for each in sorted(principal.roles))
    return f"(SELECT flux_auth.role()) <> ALL (ARRAY[{named}])"


def _protect(relation: Relation, shares: Sequence[_Share], login: str) -> Iterator[str]:
    full = _full(relation)
    yield f"ALTER TABLE {full} ENABLE ROW LEVEL SECURITY"
    if (relation.claimed or not relation.secured) and not relation.foreign_policies:
        # Other users of the team's, who had rights before Flux enabled this, keep seeing what they saw.
        yield (
            f"CREATE POLICY flux_not_ours ON {full} AS PERMISSIVE FOR ALL TO PUBLIC "
            f"USING ((SELECT session_user <> {constant(login)}))"
        )
    for operation in OPERATIONS:
        for number, principal in enumerate(sorted({share.principal for share in shares})):
            found = [share for share in shares if (share.principal, share.operation) == (principal, operation)]
            right = _right(operation, [share.grant for share in found]) if found else ""
            if right:
                yield f"GRANT {right} ON {full} TO {name(principal)}"
                yield from _policies(full, f"flux_{operation}_{number}", principal, found)


def _right(operation: Operation, grants: Sequence[Grant]) -> str:
    """`SELECT (id, email)`; "" for no column. Where one principal stands for several roles: what all of them have."""
    lists = [
        columns
        for grant in grants
        if (columns := grant.readable if operation == "select" else grant.writable) is not None
    ]
    if operation == "delete" or not lists:
        return operation.upper()
    common = sorted(frozenset.intersection(*lists))
    return f"{operation.upper()} ({', '.join(name(each) for each in common)})" if common else ""


def _policies(full: str, title: str, principal: str, shares: Sequence[_Share]) -> Iterator[str]:
    operation = shares[0].operation
    using = " OR ".join(f"({share.using})" for share in shares)
    check = " OR ".join(f"({share.check})" for share in shares)
    for kind, suffix, rows, rows_written in (
        ("PERMISSIVE", "", "true", "true"),
        ("RESTRICTIVE", "_only", using, check),
    ):
        clauses = ([] if operation == "insert" else [f"USING ({rows})"]) + (
            [f"WITH CHECK ({rows_written})"] if operation in ("insert", "update") else []
        )
        yield (
            f"CREATE POLICY {name(title + suffix)} ON {full} AS {kind} FOR {operation.upper()} "
            f"TO {name(principal)} {' '.join(clauses)}"
        )


def _full(relation: Relation) -> str:
    kind = "SEQUENCE " if relation.kind == "S" else ""
    return f"{kind}{name(relation.schema)}.{name(relation.name)}"

"""`db.*`: typed operations on the team's tables, and raw SQL. Results are JSON text.

Read first: `conditions` (what is asked), `statements` (the SQL for it), `values` (conversions), `connection` (retries).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from asyncpg import Record

from flux.data.types.to_json import dumps, row
from flux.failure import HostError, invalid

from . import statements
from .arguments import Args, integer, mapping, optional_texts, sequence, text
from .begin import transaction_of
from .catalogue import Table
from .conditions import order, split
from .connection import run
from .database_errors import is_stale
from .free import Session
from .statements import Plan

if TYPE_CHECKING:
    from .scope import Scope

DEFAULT_LIMIT = 100
MAX_LIMIT = 5000  # rows of one answer: what a function can hold and an answer of 8 MiB can carry
MAX_OFFSET = 2**31
MAX_ROWS_INSERTED = 5000
MAX_PARAMETERS = 32_767  # of one statement in Postgres' protocol, as asyncpg counts them

Build = Callable[[Table], Plan]


async def find(scope: Scope, args: Args) -> bytes:
    plan, records = await _select(scope, args, one=False)
    return dumps([row(record, plan.decoders) for record in records])


async def find_one(scope: Scope, args: Args) -> bytes:
    return _first(*await _select(scope, args, one=True))


async def find_by_id(scope: Scope, args: Args) -> bytes:
    table = await scope.services.catalogue.table(scope.services, text(args, "table"))
    identity = args.get("id")
    if not table.key:
        raise HostError("INVALID_ARGUMENT", 400, f'Table "{table.name}" has no primary key; use findOne.')
    if len(table.key) == 1 and not isinstance(identity, dict):
        identity = {table.key[0]: identity}
    if not isinstance(identity, dict) or set(identity) != set(table.key) or None in identity.values():
        raise invalid(f'"id" must have a value for the primary key of "{table.name}": {", ".join(table.key)}.')
    where = {column: {"eq": value} for column, value in identity.items()}
    return _first(*await _select(scope, {**args, "where": where}, one=True))


async def count(scope: Scope, args: Args) -> bytes:
    shape, values = split(args.get("where") or {})
    _, records = await _execute(
        scope, args, ("count", shape), lambda table: statements.count(table, shape), values, read=True
    )
    return b"%d" % records[0][0]


async def insert(scope: Scope, args: Args) -> bytes:
    data = mapping(args, "data")
    columns = tuple(data)
    return _first(
        *await _execute(
            scope, args, ("insert", columns), lambda table: statements.insert(table, columns), data.values()
        )
    )


async def insert_many(scope: Scope, args: Args) -> bytes:
    """All rows or none: it is one statement."""
    data = sequence(args, "data")
    if not all(isinstance(entry, dict) for entry in data):
        raise invalid('"data" must be an array of objects.')
    if len(data) > MAX_ROWS_INSERTED:
        raise invalid(f'"data" has {len(data)} rows; one call inserts {MAX_ROWS_INSERTED}.')
    table = await scope.services.catalogue.table(scope.services, text(args, "table"))
    if not data:
        return b"[]"
    columns = tuple(dict.fromkeys(name for entry in data for name in entry))
    uniform = all(len(entry) == len(columns) for entry in data)
    lists = any(column.codec.array for name, column in table.columns.items() if name in columns)
    if uniform and columns and not lists:
        values: list[Any] = [[entry[name] for entry in data] for name in columns]
        plan, records = await _execute(
            scope, args, ("insertMany", columns), lambda table: statements.insert_lists(table, columns), values
        )
    else:
        plan, records = await _insert_mixed(scope, args, columns, data)
    return dumps([row(record, plan.decoders) for record in records])


async def update(scope: Scope, args: Args) -> bytes:
    data = mapping(args, "data")
    if not data:
        raise invalid('"data" must name at least one column.')
    columns = tuple(data)
    shape, values = split(_some_where(args))
    plan, records = await _execute(
        scope,
        args,
        ("update", columns, shape),
        lambda table: statements.update(table, columns, shape),
        [*data.values(), *values],
    )
    return dumps([row(record, plan.decoders) for record in records])


async def upsert(scope: Scope, args: Args) -> bytes:
    data = mapping(args, "data")
    columns, conflict = tuple(data), optional_texts(args, "on_conflict")
    if conflict is None or not set(conflict) <= set(columns):
        raise invalid('"on_conflict" must name columns of a unique index, and "data" must have a value for each.')
    return _first(
        *await _execute(
            scope,
            args,
            ("upsert", columns, conflict),
            lambda table: statements.insert(table, columns, conflict),
            data.values(),
        )
    )


async def delete(scope: Scope, args: Args) -> bytes:
    shape, values = split(_some_where(args))
    plan, records = await _execute(
        scope, args, ("delete", shape), lambda table: statements.delete(table, shape), values
    )
    return dumps([row(record, plan.decoders) for record in records])


def _some_where(args: Args) -> Any:
    """The conditions of a call that changes rows. An empty one, as `{id: undefined}` becomes, would mean all rows."""
    where = args.get("where")
    if not where:
        raise HostError("WHERE_REQUIRED", 400, '"where" must not be empty; to change all rows, say so with ctx.db.sql.')
    return where


async def _select(scope: Scope, args: Args, *, one: bool) -> tuple[Plan, Sequence[Record]]:
    shape, values = split(args.get("where") or {})
    columns = optional_texts(args, "columns")
    ordering = order(args.get("order_by"))
    if not one:
        values.append(integer(args, "limit", default=DEFAULT_LIMIT, minimum=0, maximum=MAX_LIMIT))
    offset = args.get("offset") is not None
    if offset:
        values.append(integer(args, "offset", default=0, minimum=0, maximum=MAX_OFFSET))
    return await _execute(
        scope,
        args,
        ("select", one, offset, columns, shape, ordering),
        lambda table: statements.select(table, columns, shape, ordering, limit=not one, offset=offset),
        values,
        read=True,
    )


async def _insert_mixed(
    scope: Scope, args: Args, columns: Sequence[str], data: Sequence[dict[str, Any]]
) -> tuple[Plan, Sequence[Record]]:
    if not columns:
        raise invalid('"data" must name at least one column.')
    values = [entry[name] for entry in data for name in columns if name in entry]
    if len(values) > MAX_PARAMETERS:
        raise invalid(f'"data" has {len(values)} values; rows that differ in their columns may have {MAX_PARAMETERS}.')
    rows = tuple(frozenset(entry) for entry in data)
    return await _execute(
        scope,
        args,
        ("insertRows", columns, rows),
        lambda table: statements.insert_rows(table, tuple(columns), rows),
        values,
    )


async def _execute(
    scope: Scope, args: Args, shape: tuple[Any, ...], build: Build, values: Iterable[Any], *, read: bool = False
) -> tuple[Plan, Sequence[Record]]:
    """Plan and rows. A plan made from an outdated catalogue is made anew, once: then nothing has been executed yet."""
    services, catalogue = scope.services, scope.services.catalogue
    name = text(args, "table")
    transaction = transaction_of(scope, args)
    key = (name, *shape)
    plan: Plan | None = catalogue.plans.get(key)
    if plan is None:
        plan = await _plan(scope, name, key, build)
    else:
        catalogue.check_age(services)
    if transaction is not None:
        return plan, await transaction.run(_fetching(plan, values))
    try:
        return plan, await run(services, _fetching(plan, values), read=read)
    except HostError as error:
        if not (error.__cause__ and is_stale(error.__cause__) and await catalogue.refresh(services)):
            raise
    plan = await _plan(scope, name, key, build)
    return plan, await run(services, _fetching(plan, values), read=read)


def _fetching(plan: Plan, values: Iterable[Any]) -> Callable[[Session], Awaitable[Sequence[Record]]]:
    parameters = plan.parameters(values)

    async def fetch(connection: Session) -> Sequence[Record]:
        return await connection.fetch(plan.text, *parameters)

    return fetch


async def _plan(scope: Scope, name: str, key: tuple[Any, ...], build: Build) -> Plan:
    services, catalogue = scope.services, scope.services.catalogue
    table = await catalogue.table(services, name)
    try:
        plan = build(table)
    except HostError:
        if not await catalogue.refresh(services):
            raise
        plan = build(await catalogue.table(services, name))
    catalogue.remember(key, plan)
    return plan


def _first(plan: Plan, records: Sequence[Record]) -> bytes:
    return dumps(row(records[0], plan.decoders)) if records else b"null"

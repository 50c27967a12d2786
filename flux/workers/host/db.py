"""`db.*`: queries of the one format (docs/QUERY.md), through the data engine. Results are JSON text.

`db.query` takes a whole document; the others are parts of one, named as `ctx.db` names them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from flux.data.compiler import told
from flux.data.engine import Engine
from flux.data.routes.resolve import resolve
from flux.data.routes.response import sole
from flux.failure import HostError, invalid

from .arguments import Args, text
from .begin import transaction_of
from .connection import single
from .database_errors import is_stale, of_query
from .free import Session
from .transaction import Transaction

if TYPE_CHECKING:
    from .scope import Scope

# `span`: the number of the host call's span, which its mutations name.
Operation = Callable[["Scope", Args, int], Awaitable[bytes]]

# Names that may be unknown because the schema has grown since it was read.
_UNKNOWN = frozenset(("UNKNOWN_TABLE", "UNKNOWN_COLUMN", "UNKNOWN_RELATION"))


async def query(scope: Scope, args: Args, span: int) -> bytes:
    """Data routes add what stood in a URL: `filters`, and the `key` of the one row that is meant."""
    document = args.get("query")
    if scope.spec.data is None or not isinstance(document, dict):
        return await _answer(scope, args, span, document)
    schema, key = (await _engine(scope)).schema, args.get("key")
    answer = await _answer(scope, args, span, resolve(document, key, args.get("filters", ()), schema))
    return answer if key is None or document["operation"] == "select" else sole(answer)


async def find_by_id(scope: Scope, args: Args, span: int) -> bytes:
    engine = await scope.services.catalogue.engine(scope.services)
    name = text(args, "table")
    table = engine.schema.tables.get(name)
    identity = args.get("id")
    document = {key: value for key, value in args.items() if key not in ("id", "tx")}
    if table is not None:
        document["where"] = _key(name, table.key, identity)
    return await _answer(scope, args, span, {**document, "operation": "select", "one": True})


def _key(table: str, key: tuple[str, ...], identity: Any) -> dict[str, Any]:
    if not key:
        raise HostError("INVALID_ARGUMENT", 400, f'Table "{table}" has no primary key; use findOne.')
    if len(key) == 1 and not isinstance(identity, dict):
        identity = {key[0]: identity}
    if not isinstance(identity, dict) or set(identity) != set(key) or None in identity.values():
        raise invalid(f'"id" must have a value for the primary key of "{table}": {", ".join(key)}.')
    return {column: {"eq": value} for column, value in identity.items()}


def _part(fixed: Mapping[str, Any]) -> Operation:
    """A host call whose arguments are a query's, but for what is `fixed`."""

    async def operation(scope: Scope, args: Args, span: int) -> bytes:
        document = {**args, **fixed}
        document.pop("tx", None)
        return await _answer(scope, args, span, document)

    return operation


OPERATIONS: Mapping[str, Operation] = {
    "db.query": query,
    "db.find": _part({"operation": "select"}),
    "db.findOne": _part({"operation": "select", "one": True}),
    "db.findById": find_by_id,
    "db.insert": _part({"operation": "insert"}),
    "db.insertMany": _part({"operation": "insert"}),
    "db.update": _part({"operation": "update"}),
    "db.upsert": _part({"operation": "upsert"}),
    "db.delete": _part({"operation": "delete"}),
    "db.count": _part({"operation": "count"}),
    "db.aggregate": _part({"operation": "aggregate"}),
}


async def _engine(scope: Scope) -> Engine:
    """What the execution may use of the worker's engine."""
    engine = await scope.services.catalogue.engine(scope.services)
    route = scope.spec.data
    return engine if route is None else scope.services.routes.of(engine, route)


async def _answer(scope: Scope, args: Args, span: int, document: Any) -> bytes:
    """What an outdated schema made wrong is tried once more with a new one: then nothing has been executed yet."""
    services, transaction = scope.services, transaction_of(scope, args)
    catalogue = services.catalogue
    try:
        return await _run(scope, await _engine(scope), transaction, span, document)
    except HostError as error:
        stale = error.code in _UNKNOWN or (transaction is None and error.__cause__ and is_stale(error.__cause__))
        if not (stale and await catalogue.refresh(services)):
            raise of_query(error) from error.__cause__
    try:
        return await _run(scope, await _engine(scope), transaction, span, document)
    except HostError as error:
        raise of_query(error) from error.__cause__


async def _run(scope: Scope, engine: Engine, transaction: Transaction | None, span: int, document: Any) -> bytes:
    plan, values = engine.plan(document, scope.caller.role)
    who = (scope if transaction is None else transaction).identity(span) if plan.writes else None
    parameters = plan.parameters(values, scope.caller, who)

    async def fetch(connection: Session) -> list[bytes]:
        return [str(row[0]).encode() for row in await connection.fetch(plan.text, *parameters)]

    try:
        if transaction is None:
            return plan.answer(await single(scope, plan.text, parameters, read=not plan.writes))
        return plan.answer(await transaction.run(fetch))
    except HostError as error:
        raise told(plan, error) from error.__cause__

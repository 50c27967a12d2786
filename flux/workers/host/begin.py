"""`db.begin`, `db.commit`, `db.rollback`, and which transaction a call belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from flux.failure import invalid

from .access import access
from .arguments import Args, integer
from .connection import acquire
from .transaction import Pinned, Transaction, closed

if TYPE_CHECKING:
    from .scope import Scope

MAX_DEPTH = 8  # savepoints within savepoints

_ISOLATION = {
    None: "BEGIN",
    "read_committed": "BEGIN ISOLATION LEVEL READ COMMITTED",
    "repeatable_read": "BEGIN ISOLATION LEVEL REPEATABLE READ",
    "serializable": "BEGIN ISOLATION LEVEL SERIALIZABLE",
}


def transaction_of(scope: Scope, args: Args) -> Transaction | None:
    """The transaction that the call names, or None when it names none."""
    number = args.get("tx")
    if number is None:
        return None
    found = scope.transactions.get(number) if isinstance(number, int) else None
    if found is None:
        raise closed(integer(args, "tx", default=None, minimum=0, maximum=2**31))
    return found


async def begin(scope: Scope, args: Args, span: int) -> bytes:
    """Answers {"tx": n}; n counts from 1 within the execution."""
    isolation = args.get("isolation")
    if not isinstance(isolation, str | None) or isolation not in _ISOLATION:
        raise invalid('"isolation" must be one of: ' + ", ".join(name for name in _ISOLATION if name) + ".")
    outer = transaction_of(scope, args)
    number = scope.next_transaction()
    if outer is not None:
        if isolation is not None:
            raise invalid('"isolation" can only be chosen for the outermost transaction.')
        if outer.depth + 1 >= MAX_DEPTH:
            raise invalid(f"Transactions may be nested {MAX_DEPTH} deep.")
        transaction = Transaction(number, outer.pinned, outer)
        await transaction.begin(lambda connection: connection.execute(f"SAVEPOINT {transaction.savepoint}"))
    else:
        transaction = await _begin_outermost(scope, number, _ISOLATION[isolation], span)
    scope.transactions[number] = transaction
    return orjson.dumps({"tx": number})


async def _begin_outermost(scope: Scope, number: int, statement: str, span: int) -> Transaction:
    """As the login for raw SQL if the function may use that: all of it is one transaction."""
    raw = await access(scope)
    connection = await acquire(raw.source)
    pinned = Pinned(scope, raw.source, connection, raw.login, raw.ending)
    transaction = Transaction(number, pinned)
    try:
        scope.require_open()
        await transaction.begin(lambda connection: raw.begin(connection, span, statement))
    except BaseException:
        await pinned.release()
        raise
    return transaction


async def commit(scope: Scope, args: Args) -> bytes:
    await _named(scope, args).commit()
    return b"null"


async def rollback(scope: Scope, args: Args) -> bytes:
    await _named(scope, args).rollback()
    return b"null"


def _named(scope: Scope, args: Args) -> Transaction:
    transaction = transaction_of(scope, args)
    if transaction is None:
        raise invalid('"tx" must name the transaction.')
    return transaction

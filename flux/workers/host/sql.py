"""`db.sql`: one statement of the function's own, with parameters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from asyncpg import InvalidCachedStatementError, ReadOnlySQLTransactionError, Record
from asyncpg.types import Type

from flux.data.types.codec import Convert, codec
from flux.data.types.to_json import dumps, row
from flux.failure import HostError, invalid

from .access import IDENTIFY, Access, require_access
from .arguments import Args, text
from .begin import transaction_of
from .connection import FAILURES, run
from .free import Session, usable
from .raw_sql import Nature, inspect, reads
from .transaction import Transaction

if TYPE_CHECKING:
    from .scope import Scope

MAX_LIMIT = 5000  # rows of one answer: what a function can hold and an answer of 8 MiB can carry
# asyncpg wants these as objects of its own, which JSON does not have.
_WITHOUT_INPUT = frozenset(("range", "multirange", "composite"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A statement's parameters and result columns, as Postgres described them."""

    encoders: tuple[Convert, ...]
    decoders: tuple[tuple[str, Convert], ...]

    def parameters(self, values: Sequence[Any]) -> list[Any]:
        """Raises 400 INVALID_VALUE."""
        if len(values) != len(self.encoders):
            raise HostError(
                "INVALID_VALUE", 400, f"The statement has {len(self.encoders)} parameters; {len(values)} were given."
            )
        return [
            None if value is None else _encoded(number, encode, value)
            for number, (encode, value) in enumerate(zip(self.encoders, values, strict=True), start=1)
        ]


Execute: TypeAlias = Callable[[Session], Awaitable[tuple[Signature, Sequence[Record]]]]


async def sql(scope: Scope, args: Args, span: int) -> bytes:
    """Answers the rows, [] for a statement that has none. More than MAX_LIMIT rows raise 400 TOO_MANY_ROWS."""
    statement = text(args, "text")
    values = args.get("params") or []
    if not isinstance(values, list):
        raise invalid('"params" must be an array.')
    nature = inspect(statement)
    raw = await require_access(scope)

    async def execute(connection: Session) -> tuple[Signature, Sequence[Record]]:
        signature = await _signature(scope, connection, statement)
        parameters = signature.parameters(values)
        # `fetch` has no limit of rows, and an unbounded answer takes the worker's memory with it; `fetchrow` goes the
        # same way as this with a limit of 1.
        try:
            return signature, await connection._execute(statement, parameters, MAX_LIMIT + 1, None)  # type: ignore[attr-defined]
        finally:
            if nature.runs_code and usable(connection):
                await connection.reload_schema_state()  # statements that asyncpg has prepared may be gone

    transaction = transaction_of(scope, args)
    read = statement not in scope.services.catalogue.writers and reads(statement, raw.raw.volatile)
    if transaction is not None:
        signature, records = await _within(raw, transaction, execute, span, read=read, nature=nature)
    else:
        signature, records = await _alone(raw, statement, execute, span, read=read, nature=nature)
    _after(scope, nature)
    if len(records) > MAX_LIMIT:
        raise HostError(
            "TOO_MANY_ROWS", 400, f"The statement returned more than {MAX_LIMIT} rows; add a LIMIT, or aggregate."
        )
    return dumps([row(record, signature.decoders) for record in records])


async def _within(
    raw: Access, transaction: Transaction, execute: Execute, span: int, *, read: bool, nature: Nature
) -> tuple[Signature, Sequence[Record]]:
    """As part of a transaction."""
    if raw.protected and transaction.pinned.login is None:
        raise HostError(
            "TRANSACTION_ABORTED",
            409,
            "The project's policies have come into force since this transaction began: begin it again.",
            {"retryable": True},
        )

    async def work(connection: Session) -> tuple[Signature, Sequence[Record]]:
        if not read:
            await connection.execute(IDENTIFY, transaction.identity(span))
        return await execute(connection)

    return await transaction.run(work, leaves_state=nature.leaves_state)


async def _alone(
    raw: Access, statement: str, execute: Execute, span: int, *, read: bool, nature: Nature
) -> tuple[Signature, Sequence[Record]]:
    """As a transaction of its own."""

    async def within(connection: Session) -> tuple[Signature, Sequence[Record]]:
        try:
            await raw.begin_as(connection, span)
            found = await execute(connection)
            await connection.execute("COMMIT" + raw.ending)
        except FAILURES:
            if usable(connection) and connection.is_in_transaction():
                await connection.execute("ROLLBACK")
            raise
        return found

    async def work(connection: Session) -> tuple[Signature, Sequence[Record]]:
        if not raw.protected and read:
            try:
                return await execute(connection)
            except ReadOnlySQLTransactionError:
                raw.scope.services.catalogue.writers.add(statement)
        elif not raw.protected and nature.leaves_state:
            await raw.identify_session(connection, span)
            return await execute(connection)
        try:
            return await within(connection)
        except InvalidCachedStatementError:  # the tables have changed; nothing was executed
            return await within(connection)

    return await run(raw.source, work, read=False, leaves_state=nature.leaves_state)


def _after(scope: Scope, nature: Nature) -> None:
    """After DDL, signatures and tables may be others."""
    if nature.keyword in ("CREATE", "ALTER", "DROP", "COMMENT", "DO", "CALL"):
        scope.services.catalogue.forget()


async def _signature(scope: Scope, connection: Session, statement: str) -> Signature:
    catalogue = scope.services.catalogue
    found = catalogue.signatures.get(statement)
    if found is None:
        prepared = await connection.prepare(statement)
        found = Signature(
            encoders=tuple(_encoder(number, kind) for number, kind in enumerate(prepared.get_parameters(), start=1)),
            decoders=tuple(
                (attribute.name, decode)
                for attribute in prepared.get_attributes()
                if (decode := _codec_decoder(attribute.type)) is not None
            ),
        )
        catalogue.remember(statement, found)
    return found


def _encoder(number: int, kind: Type) -> Convert:
    if kind.kind in _WITHOUT_INPUT:
        name = kind.name

        def refuse(_: Any) -> Any:
            raise ValueError(f"a value of type {name} must be given as text: ${number}::text::{name}")

        return refuse
    name = kind.name.removesuffix("[]")
    return codec(name, sql=name, array=kind.kind == "array").encode


def _codec_decoder(kind: Type) -> Convert | None:
    name = kind.name.removesuffix("[]")
    if name == "char" and kind.kind != "array":  # the one-byte type "char" of Postgres' own tables
        return lambda value: value.decode("latin-1")
    return codec(name, sql=name, array=kind.kind == "array").decode


def _encoded(number: int, encode: Convert, value: Any) -> Any:
    try:
        return encode(value)
    except ValueError as error:
        raise HostError("INVALID_VALUE", 400, f"${number}: {error}.") from None

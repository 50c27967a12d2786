"""`db.sql`: one statement of the function's own, with parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asyncpg import Record
from asyncpg.types import Type

from flux.data.types.codec import Convert, codec
from flux.data.types.to_json import dumps, row
from flux.failure import HostError, invalid

from .arguments import Args, text
from .begin import transaction_of
from .connection import run
from .free import Session
from .raw_sql import Nature, inspect

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


async def sql(scope: Scope, args: Args, span: int) -> bytes:
    """Answers the rows, [] for a statement that has none. More than MAX_LIMIT rows raise 400 TOO_MANY_ROWS."""
    statement = text(args, "text")
    values = args.get("params") or []
    if not isinstance(values, list):
        raise invalid('"params" must be an array.')
    nature = inspect(statement)

    async def execute(connection: Session) -> tuple[Signature, Sequence[Record]]:
        signature = await _signature(scope, connection, statement)
        parameters = signature.parameters(values)
        # `fetch` has no limit of rows, and an unbounded answer takes the worker's memory with it; `fetchrow` goes the
        # same way as this with a limit of 1.
        return signature, await connection._execute(statement, parameters, MAX_LIMIT + 1, None)  # type: ignore[attr-defined]

    transaction = transaction_of(scope, args)
    if transaction is not None:
        signature, records = await transaction.run(execute, leaves_state=nature.leaves_state)
    else:
        signature, records = await run(scope.services, execute, read=False, leaves_state=nature.leaves_state)
    _after(scope, nature)
    if len(records) > MAX_LIMIT:
        raise HostError(
            "TOO_MANY_ROWS", 400, f"The statement returned more than {MAX_LIMIT} rows; add a LIMIT, or aggregate."
        )
    return dumps([row(record, signature.decoders) for record in records])


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

"""A compiled query: the statement's text, how its parameters are filled, how its rows become the answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flux.data.policy.model import Operation
from flux.data.query.model import ALWAYS, Condition
from flux.data.types.codec import Convert
from flux.data.types.to_json import dumps, row

from .parameters import SLOT, Source, filled

if TYPE_CHECKING:
    from asyncpg import Record

    from flux.data.policy.model import Caller

# What the answer is: rows, the first of them or null, a number, or nothing of them (the caller may not select any).
Shape = Literal["rows", "row", "number", "no rows", "no row"]


class Applied(NamedTuple):
    """A grant that the statement obeys. `columns` None: all."""

    table: str
    operation: Operation
    columns: frozenset[str] | None = None
    where: Condition = ALWAYS
    check: Condition = ALWAYS


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """`text` depends on the query, the schema, the policies and the role alone, so that asyncpg finds it prepared.

    `decoders` are by the result's column; when the answer's fields have other names than the result's columns, `fields`
    has the names and the decoders by position.
    """

    text: str
    sources: tuple[Source, ...]
    shape: Shape
    writes: bool
    tables: tuple[str, ...]
    policies: tuple[Applied, ...] = ()
    decoders: tuple[tuple[str, Convert], ...] = ()
    fields: tuple[tuple[str, Convert | None], ...] | None = None

    def parameters(self, values: Sequence[Any], caller: Caller, identity: str | None) -> list[Any]:
        """Raises 400 INVALID_VALUE naming the column."""
        return filled(self.sources, values, caller, identity)

    def answer(self, records: Sequence[Record]) -> bytes:
        """The answer's JSON."""
        shape, decoders = self.shape, self.decoders
        if shape == "row":
            if not records:
                return b"null"
            return dumps(row(records[0], decoders) if self.fields is None else self._renamed(records[0]))
        if shape == "rows":
            if self.fields is not None:
                return dumps([self._renamed(record) for record in records])
            return dumps([row(record, decoders) for record in records])
        if shape == "number":
            return b"%d" % records[0][0]
        return b"[]" if shape == "no rows" else b"null"

    def _renamed(self, record: Record) -> dict[str, Any]:
        return {
            name: value if value is None or decode is None else decode(value)
            for (name, decode), value in zip(self.fields or (), record.values(), strict=True)
        }

    @property
    def slots(self) -> tuple[tuple[int, str], ...]:
        """Of each parameter that is a caller's value, its number and its column: for people who read the statement."""
        return tuple(
            (number, column) for number, (origin, _, _, column) in enumerate(self.sources, 1) if origin == SLOT
        )

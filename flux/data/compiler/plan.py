"""A compiled query: the statement's text, how its parameters are filled, how its rows become the answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flux.data.policy.model import Operation
from flux.data.query.model import ALWAYS, Condition

from .parameters import SLOT, Source, filled

if TYPE_CHECKING:
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
    """`text` depends on the query, the schema, the policies and the role alone, so that it is found prepared. It
    answers one column: each row's JSON text. `veiled`: when Postgres looks at keys it is not known yet whether the row
    may be written.
    """

    text: str
    sources: tuple[Source, ...]
    shape: Shape
    writes: bool
    tables: tuple[str, ...]
    policies: tuple[Applied, ...] = ()
    veiled: bool = False

    def parameters(self, values: Sequence[Any], caller: Caller, identity: str | None) -> list[Any]:
        """Raises 400 INVALID_VALUE naming the column."""
        return filled(self.sources, values, caller, identity)

    def answer(self, rows: Sequence[bytes | None]) -> bytes:
        """The answer's JSON, from the first column of the statement's rows."""
        shape = self.shape
        if shape == "row":
            return rows[0] or b"null" if rows else b"null"
        if shape == "rows":
            return b"[" + b",".join([row or b"null" for row in rows]) + b"]"
        if shape == "number":
            return rows[0] or b"0"
        return b"[]" if shape == "no rows" else b"null"

    @property
    def slots(self) -> tuple[tuple[int, str], ...]:
        """Of each parameter that is a caller's value, its number and its column: for people who read the statement."""
        return tuple(
            (number, column) for number, (origin, _, _, column) in enumerate(self.sources, 1) if origin == SLOT
        )

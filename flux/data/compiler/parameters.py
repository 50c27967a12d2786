"""The parameters of a statement: numbered while its text is written, filled from a call's values afterwards. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flux.data.query.model import Auth, Literal, Slot
from flux.data.types.codec import Convert
from flux.failure import HostError

if TYPE_CHECKING:
    from flux.data.policy.model import Caller
    from flux.data.query.model import Comparison

    from .terms import Term

# Where a parameter's value is from.
SLOT, PART, CONSTANT, FACT, IDENTITY = range(5)

# (where from, which one there, its encoder, the column that an error names).
Source = tuple[int, Any, Convert, str]


class Parameters:
    """Numbers the parameters of one statement."""

    __slots__ = ("sources",)

    def __init__(self) -> None:
        self.sources: list[Source] = []

    def slot(self, index: int, encode: Convert, column: str) -> str:
        """`$n` for the value at `index`."""
        self.sources.append((SLOT, index, encode, column))
        return f"${len(self.sources)}"

    def part(self, index: int, position: int, encode: Convert, column: str) -> str:
        """`$n` for one entry of the list at `index`."""
        self.sources.append((PART, (index, position), encode, column))
        return f"${len(self.sources)}"

    def constant(self, value: Any) -> str:
        """`$n` for a value that belongs to the query's shape, or to a policy: known now, and encoded already."""
        self.sources.append((CONSTANT, value, str, ""))
        return f"${len(self.sources)}"

    def operand(
        self, operand: Slot | Literal | Auth, encode: Convert, term: Term, operator: Comparison, *, listed: bool = False
    ) -> str:
        """What `term` is compared with by `operator`; `listed`: an array of them."""
        if type(operand) is Slot:
            self.sources.append((SLOT, operand.index, encode, term.name))
            return f"${len(self.sources)}"
        if isinstance(operand, Auth):
            self.sources.append((FACT, operand.path, encode, term.name))
            return f"${len(self.sources)}"
        assert isinstance(operand, Literal)
        return self.constant(_literal(operand.value, encode, term.name))

    def identity(self) -> str:
        self.sources.append((IDENTITY, None, str, ""))
        return f"${len(self.sources)}"


def filled(sources: Sequence[Source], values: Sequence[Any], caller: Caller, identity: str | None) -> list[Any]:
    """One value per source, as asyncpg wants it. Raises 400 INVALID_VALUE naming the column."""
    found: list[Any] = []
    for origin, key, encode, column in sources:
        if origin == SLOT:
            value = values[key]
        elif origin == CONSTANT:
            found.append(key)
            continue
        elif origin == PART:
            value = values[key[0]][key[1]]
        elif origin == FACT:
            found.append(_fact(caller.fact(key), encode))
            continue
        else:
            found.append(identity)
            continue
        if value is not None:
            try:
                value = encode(value)
            except (ValueError, OverflowError) as error:  # a float of 400 digits overflows
                raise HostError("INVALID_VALUE", 400, f'"{column}": {error}.', {"column": column}) from None
        found.append(value)
    return found


def _fact(value: Any, encode: Convert) -> Any:
    """A fact of the caller as the column's type; one that does not fit is like none, NULL, which grants nothing."""
    if value is None:
        return None
    try:
        return encode(value)
    except (ValueError, OverflowError):
        pass
    if not isinstance(value, int | float):
        return None
    try:  # a claim that is a number, against a column of texts
        return encode(str(value).lower() if isinstance(value, bool) else str(value))
    except (ValueError, OverflowError):
        return None


def _literal(value: Any, encode: Convert, column: str) -> Any:
    if value is None:
        return None
    try:
        return encode(list(value) if isinstance(value, tuple) else value)
    except (ValueError, OverflowError) as error:
        raise HostError("POLICY_INVALID", 400, f'A policy compares "{column}" wrongly: {error}.', {}) from None

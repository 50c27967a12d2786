"""`data` and `on_conflict`, from JSON. Pure; raises 400 INVALID_QUERY with the place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flux.failure import HostError

from .fields import names
from .format import MAX_CELLS
from .forms import FORMS
from .model import Conflict, Slot
from .targets import name
from .values import Values
from .wrong import at, unknown, wrong

Row = dict[str, Any]


def columns_of(row: Row, place: str) -> Iterator[tuple[str, Any]]:
    """Its columns and values. What a column gets is one value, whatever it is."""
    for column, value in row.items():
        yield name(column, at(place, str(column))), value


def one_row(row: Row, place: str, values: Values) -> tuple[tuple[str, ...], tuple[Slot, ...]]:
    """Its columns, and a slot for each."""
    slots = [(column, values.slot(value)) for column, value in columns_of(row, place)]
    return tuple([column for column, _ in slots]), tuple([slot for _, slot in slots])


def several_rows(
    rows: Any, place: str, values: Values
) -> tuple[tuple[str, ...], tuple[tuple[Slot | None, ...], ...] | None, tuple[Slot, ...]]:
    """Columns, rows, lists, as `Insert` has them. No rows at all are rows that differ in nothing: ()."""
    if not isinstance(rows, list):
        raise wrong(place, f"must be {FORMS['rows'].words}.")
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise wrong(f"{place}[{index}]", "must be an object {column: value}.")
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    for column in columns:
        name(column, at(place, str(column)))
    if columns and all(len(row) == len(columns) for row in rows):
        return columns, None, tuple([values.slot([row[column] for row in rows]) for column in columns])
    if len(rows) * len(columns) > MAX_CELLS:
        message = f'"{place}" has {len(rows)} rows that differ in {len(columns)} columns, too many for one statement.'
        raise HostError("QUERY_TOO_LARGE", 400, message, {"place": place})
    slots = [tuple([values.slot(row[column]) if column in row else None for column in columns]) for row in rows]
    return columns, tuple(slots), ()


def conflict(given: Any, place: str, columns: Sequence[str]) -> Conflict:
    """What an upsert does where the row exists; `columns` are those of `data`."""
    update: tuple[str, ...] | None = None
    if isinstance(given, dict):
        for key in given:
            if key not in ("columns", "update"):
                raise unknown(place, "key", str(key), ("columns", "update"))
        wanted = given.get("update")
        if wanted == "nothing":
            update = ()
        elif wanted is not None:
            here = at(place, "update")
            if not isinstance(wanted, list) or not wanted:
                raise wrong(here, 'must be an array of column names, or "nothing".')
            update = _given(names(wanted, here, FORMS["columns"]), here, columns)
        given, place = given.get("columns"), at(place, "columns")
    return Conflict(_given(names(given, place, FORMS["on_conflict"]), place, columns), update)


def _given(found: tuple[str, ...], place: str, columns: Sequence[str]) -> tuple[str, ...]:
    if columns:
        known = frozenset(columns)
        for index, column in enumerate(found):
            if column not in known:
                raise wrong(f"{place}[{index}]", f'names "{column[:100]}", for which "data" has no value.')
    return found

"""Checks of rows that only Postgres can ask in time. Pure.

A check that looks at what only Postgres will know (a default that is no constant, a generated, identity or computed
column, what BEFORE ROW triggers make of a row) cannot be asked ahead. In RETURNING it comes too late: by then unique
keys have been looked at, and their errors would tell of rows that the caller may not see. So tables with such checks
have a trigger (flux.check_row, store/migrations) that fires last before a row is written, and asks what the statement
hands over in the setting `flux.check`: a text for each event, whose parameters are $1, the row, and $2, an array.

Where Flux may not make that trigger (another's table, a view), or has not yet made it, the plan is `veiled`: errors of
keys and refusals read alike.
"""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

from typing import Any, Final

from flux.data.query.model import Auth, Comparison, Literal, Slot
from flux.data.schema.model import Column, Table
from flux.data.types.codec import Convert

from .ahead import is_there
from .conditions import policy
from .names import quoted
from .operators import operand_type
from .parameters import Parameters
from .statement import Late, Statement
from .terms import Term
from .written import unless

SETTING: Final = "flux.check"


class _Carried(Parameters):
    """Parameters of such a text: entries of the array $2, filled from parameters of the statement itself."""

    __slots__ = ("outer", "values")

    def __init__(self, outer: Parameters) -> None:
        super().__init__()
        self.outer = outer
        self.values: list[str] = []

    def operand(
        self, operand: Slot | Literal | Auth, encode: Convert, term: Term, operator: Comparison, *, listed: bool = False
    ) -> str:
        sql = operand_type(term, operator) + ("[]" if listed else "")
        return self._carried(self.outer.operand(operand, encode, term, operator, listed=listed), sql)

    def constant(self, value: Any) -> str:
        return self._carried(self.outer.constant(value), "text")

    def _carried(self, parameter: str, sql: str) -> str:
        self.values.append(f"({parameter}::{sql})::text")
        return f"(($2)[{len(self.values)}])::{sql}"


def asked_late(statement: Statement, table: Table) -> str:
    """A condition that is true, and hands `statement.late` to the trigger; "" when there is nothing, or no trigger."""
    if not statement.late or not table.checked:
        return ""
    own = statement.parameters
    carried = statement.parameters = _Carried(own)
    texts = {event: _text(statement, table, late) for event, late in statement.late.items()}
    statement.parameters = own
    entries = [f"'at', statement_timestamp()::text, 'table', {table.oid}"]
    entries += [f"'{event}', {own.constant(text)}::text" for event, text in texts.items()]
    entries.append(f"'values', ARRAY[{', '.join(carried.values)}]::text[]")
    return f"(SELECT set_config('{SETTING}', json_build_object({', '.join(entries)})::text, true)) IS NOT NULL"


def _text(statement: Statement, table: Table, late: Late) -> str:
    """What fails for a row $1 that may not be written."""
    allowed = policy(statement, table, "t", late.check)
    if late.reading is not None:
        row = {name: f"t.{quoted(name)}" for name in late.keys}
        allowed = f"({allowed}) OR {is_there(statement, table, row, late.reading)}"
    # As one of the table's own rows, which computed columns are functions of.
    return f"SELECT {unless(allowed)} FROM unnest(ARRAY[{_row(table)}]) AS t"


def _row(table: Table) -> str:
    """The row that is about to be written; triggers run before Postgres fills in generated columns."""
    row_type = f"{quoted(table.schema)}.{quoted(table.name)}"
    values = [_expression(column) for column in table.columns.values()]
    if values == [quoted(name) for name in table.columns]:
        return f"($1)::{row_type}"
    return f"(SELECT ROW({', '.join(values)})::{row_type} FROM (SELECT (($1)::{row_type}).*) AS r)"


def _expression(column: Column) -> str:
    """Those of generated columns name columns alone, so they mean those of the only table there is."""
    return f"({column.default})" if column.generated in ("stored", "virtual") else quoted(column.name)

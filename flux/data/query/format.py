"""The query format, declared once. Parser, JSON Schema, TypeScript types and docs/QUERY.md are all made of this.

Here: which operations there are, which keys each takes, and which operators a condition may use. What may stand at a
key is a `Form`, told in the three languages in `forms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

# What an operator compares with.
#   value: anything but null     text: a string          list: an array, null in it also asks for NULL
#   pair: an array of two        flag: true or false     truth: null, true, false or "unknown"
#   words: a string, or {"query": "...", "config": "english"}
Operand = Literal["value", "text", "list", "pair", "flag", "truth", "words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator of `where`. `nullable`: null is allowed, and asks whether there is a value at all.

    `quantified`: {"any": [...]} and {"all": [...]} may stand in place of the operand.
    """

    name: str
    operand: Operand
    sql: str
    meaning: str
    example: str
    quantified: bool = False
    nullable: bool = False


def _operator(name: str, operand: Operand, sql: str, meaning: str, example: str, *more: str) -> Operator:
    return Operator(
        name=name,
        operand=operand,
        sql=sql,
        meaning=meaning,
        example=example,
        quantified="quantified" in more,
        nullable="nullable" in more,
    )


OPERATORS: Final = (
    _operator("eq", "value", "=", "equal; null: IS NULL", "42", "quantified", "nullable"),
    _operator("neq", "value", "<>", "not equal; null: IS NOT NULL", "42", "quantified", "nullable"),
    _operator("gt", "value", ">", "greater", "42", "quantified"),
    _operator("gte", "value", ">=", "greater or equal", "42", "quantified"),
    _operator("lt", "value", "<", "less", "42", "quantified"),
    _operator("lte", "value", "<=", "less or equal", "42", "quantified"),
    _operator("in", "list", "= ANY", "one of these; null among them also finds NULL", "[1, 2]"),
    _operator("nin", "list", "<> ALL", "none of these; null among them also excludes NULL", "[1, 2]"),
    _operator("between", "pair", "BETWEEN", "from the first to the second, both included", "[1, 9]"),
    _operator("like", "text", "LIKE", "pattern with % and _", '"A%"', "quantified"),
    _operator("ilike", "text", "ILIKE", "pattern, upper and lower case alike", '"a%"', "quantified"),
    _operator("match", "text", "~", "regular expression", '"^A"', "quantified"),
    _operator("imatch", "text", "~*", "regular expression, upper and lower case alike", '"^a"', "quantified"),
    _operator("is_null", "flag", "IS [NOT] NULL", "there is no value (true), there is one (false)", "true"),
    _operator("is", "truth", "IS", "exactly this, null and unknown included", '"unknown"'),
    _operator("is_distinct", "value", "IS DISTINCT FROM", "not equal, where NULL differs from every value", "42"),
    _operator("contains", "value", "@>", "array, range or JSON holds this", '["a"]'),
    _operator("contained", "value", "<@", "array, range or JSON lies in this", '["a", "b"]'),
    _operator("overlaps", "value", "&&", "arrays or ranges share something", '["a", "b"]'),
    _operator("strictly_left", "value", "<<", "range ends before this one begins", '"[1,9)"'),
    _operator("strictly_right", "value", ">>", "range begins after this one ends", '"[1,9)"'),
    _operator("not_right_of", "value", "&<", "range does not reach beyond this one's end", '"[1,9)"'),
    _operator("not_left_of", "value", "&>", "range does not begin before this one", '"[1,9)"'),
    _operator("adjacent", "value", "-|-", "ranges touch", '"[1,9)"'),
    _operator("fts", "words", "@@ to_tsquery", "full-text query with & | ! and <->", '"cat & rat"'),
    _operator("plfts", "words", "@@ plainto_tsquery", "all of these words", '"cat rat"'),
    _operator("phfts", "words", "@@ phraseto_tsquery", "these words in this order", '"fat cat"'),
    _operator("wfts", "words", "@@ websearch_to_tsquery", "as typed into a search box", '"cat -rat"'),
)

NEGATION: Final = "not"  # in an operator object: {"age": {"not": {"gt": 3}}}; in `where`: {"not": {...}}
CONNECTIVES: Final = ("and", "or")
RELATED: Final = {
    "some": "there is a related row for which this holds",
    "none": "there is no related row for which this holds",
    "every": "it holds for all related rows",
}
QUANTIFIERS: Final = ("any", "all")
TRUTHS: Final = ("null", "true", "false", "unknown")
COLUMN_PREFIX: Final = "column:"  # what follows is a column's name as it is
MEASURES: Final = ("count", "sum", "avg", "min", "max")
DIRECTIONS: Final = ("asc", "desc")
NULLS: Final = ("first", "last")
WHOLE_ROW: Final = "*"  # in a Select's `distinct`, so no column of that name can be there


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of an operation. `form` names an entry of `forms.FORMS`."""

    name: str
    form: str
    meaning: str
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Operation:
    """`answer`: what the query gives. `exclusive`: pairs of keys of which only one may be there. `one_of`: keys of
    which at least one must hold something.
    """

    name: str
    keys: tuple[Key, ...]
    answer: str
    exclusive: tuple[tuple[str, str], ...] = ()
    one_of: tuple[str, ...] = ()

    @cached_property
    def allowed(self) -> Mapping[str, Key]:
        """Its keys by name, in their order."""
        return {key.name: key for key in self.keys}

    @cached_property
    def required(self) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if key.required)


def _key(name: str, form: str, meaning: str, *, required: bool = False) -> Key:
    return Key(name=name, form=form, meaning=meaning, required=required)


_TABLE = _key("table", "table", "the table's name", required=True)
_OPERATION = _key("operation", "operation", 'what to do; "select" when left out')
_COLUMNS = _key("columns", "columns", "these columns")
_SELECT = _key("select", "fields", "fields of the answer: columns, places in JSON, related rows")
_WHERE = _key("where", "where", "which rows")
_ORDER = _key("order_by", "order_by", "in which order")
_LIMIT = _key("limit", "limit", "at most so many rows")
_OFFSET = _key("offset", "offset", "skip so many rows")
_RETURNING = _key("returning", "returning", "fields of the answer; all readable columns when left out")
_ALL = _key("all", "flag", "true in place of `where`: every row")
_NESTED_KEYS = (_COLUMNS, _SELECT, _WHERE, _ORDER, _LIMIT, _OFFSET)
_CHOICE = (("columns", "select"),)

# What stands in `select` for related rows.
NESTED: Final = Operation(
    name="nested",
    keys=(_key("relation", "relation", "the relation's name; the field's own when left out"), *_NESTED_KEYS),
    answer="an array of rows for a relation to many, else a row or null",
    exclusive=_CHOICE,
)

OPERATIONS: Final = (
    Operation(
        name="select",
        keys=(
            *(_TABLE, _OPERATION, *_NESTED_KEYS),
            _key("after", "after", "continue behind this row: its values of `order_by` and of the primary key"),
            _key("distinct", "distinct", "true: no two rows alike; columns: the first row for each of their values"),
            _key("one", "flag", "true: the first row or null, not an array"),
        ),
        answer="rows; with `one`, a row or null",
        exclusive=(*_CHOICE, ("offset", "after")),
    ),
    Operation(name="count", keys=(_TABLE, _OPERATION, _WHERE), answer="a number"),
    Operation(
        name="aggregate",
        keys=(
            *(_TABLE, _OPERATION),
            _key("aggregates", "aggregates", "what to compute, by alias"),
            _key("group_by", "group_by", "one answer for each of their values"),
            _WHERE,
            _key("having", "having", "which groups, by aliases of the answer"),
            _key("order_by", "order_by_alias", "in which order, by aliases of the answer"),
            *(_LIMIT, _OFFSET),
        ),
        answer="rows with the aliases; one row without `group_by`",
        one_of=("aggregates", "group_by"),
    ),
    Operation(
        name="insert",
        keys=(_TABLE, _OPERATION, _key("data", "rows", "a row, or an array of rows", required=True), _RETURNING),
        answer="the row, or the rows in the order given",
    ),
    Operation(
        name="upsert",
        keys=(
            *(_TABLE, _OPERATION, _key("data", "rows", "a row, or an array of rows", required=True)),
            _key("on_conflict", "on_conflict", "columns of a unique index, and what to do", required=True),
            _RETURNING,
        ),
        answer="the row, or the rows in the order given",
    ),
    Operation(
        name="update",
        keys=(_TABLE, _OPERATION, _WHERE, _ALL, _key("data", "row", "the new values", required=True), _RETURNING),
        answer="the rows as they are now",
        exclusive=(("where", "all"),),
        one_of=("where", "all"),
    ),
    Operation(
        name="delete",
        keys=(_TABLE, _OPERATION, _WHERE, _ALL, _RETURNING),
        answer="the rows as they were",
        exclusive=(("where", "all"),),
        one_of=("where", "all"),
    ),
)
DEFAULT_OPERATION: Final = "select"

OPERATION: Final = {operation.name: operation for operation in OPERATIONS}
OPERATOR: Final = {operator.name: operator for operator in OPERATORS}

# A name of Postgres has 63 bytes; a path into JSON strings some together.
MAX_NAME = 500
# Objects and arrays inside each other in one query. Far more than the guard allows: this only bounds the recursion.
MAX_NESTING = 64
# Names and marks of one query's shape, which is what a cache keeps as its key.
MAX_SHAPE = 20_000
# Rows times columns of rows to write that differ in their columns, as each place becomes a word of SQL.
MAX_CELLS = 500_000

"""A query as a value: what is asked, without the values that it is asked with. Pure, hashable, free of SQL.

Wherever a caller's value stands there is a `Slot`, a position in the list of values that travels beside the query. So
two queries that differ in values only are equal, and one compiled statement serves both. Conditions of policies are
the same `Condition`s; there a value may also be a `Literal` of the policy's author, or an `Auth` fact of the caller.

Dataclasses, not named tuples: those of different types that hold the same are equal, and ALWAYS must not be NEVER.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Slot:
    """The value at `index` of the values beside the query."""

    index: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant that a policy's author wrote: str, int, float, bool or None; a tuple of these where an array belongs
    (`contains`, `contained`, `overlaps`; policies have no `in`, `nin` and `between` with constants, see
    `flux/data/policy/rules.py`). It is what JSON would hold, so that the column's codec encodes it (a tuple as a list).
    """

    value: str | int | float | bool | tuple[str | int | float | bool | None, ...] | None


@dataclass(frozen=True, slots=True)
class Auth:
    """A fact of the caller: ("uid",), ("role",), ("tenant",) or ("claims", "org", "id"). NULL when there is none."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A column (or computed column), or a place inside a JSON column. `as_text`: the place's text (`->>`), not JSON."""

    column: str
    path: tuple[str | int, ...] = ()
    as_text: bool = False


Operand: TypeAlias = "Slot | Literal | Auth | Target"

# One name each.
Comparison = OneOf[
    "eq", "neq", "gt", "gte", "lt", "lte",
    "in", "nin", "between",
    "like", "ilike", "match", "imatch",
    "is_distinct",
    "contains", "contained", "overlaps",
    "strictly_left", "strictly_right", "not_right_of", "not_left_of", "adjacent",
    "fts", "plfts", "phfts", "wfts",
]  # fmt: skip
Quantifier = OneOf["", "any", "all"]


@dataclass(frozen=True, slots=True)
class Compare:
    """`target operator operand`. With a quantifier the operand is an array of which any or all must fit; the operand of
    `in` and `nin` is an array, that of `between` an array of two. `nulls`: the array of an `in` or `nin` held a null
    beside the others, which also asks for (or excludes) NULL. `config` names the text search configuration.
    """

    target: Target
    operator: Comparison
    operand: Operand
    quantifier: Quantifier = ""
    nulls: bool = False
    config: str = ""


@dataclass(frozen=True, slots=True)
class Is:
    """`target IS [NOT] value`."""

    target: Target
    value: OneOf["null", "true", "false", "unknown"]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Every:
    """All of them: AND. Without terms it is true."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of them: OR. Without terms it is false."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    term: Condition


@dataclass(frozen=True, slots=True)
class Related:
    """There is (`some`), is no (`none`), or is nothing but (`every`) a related row for which `where` holds, among those
    that the caller may read.
    """

    relation: str
    quantifier: OneOf["some", "none", "every"]
    where: Condition


Condition: TypeAlias = "Compare | Is | Every | Some | Not | Related"
ALWAYS = Every(())
NEVER = Some(())


@dataclass(frozen=True, slots=True)
class Order:
    """`target` of a select; of an aggregate the column is an alias of the answer. `nulls` "" = Postgres' default."""

    target: Target
    descending: bool = False
    nulls: OneOf["", "first", "last"] = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One field of an answer, from a column."""

    alias: str
    target: Target


@dataclass(frozen=True, slots=True)
class Nested:
    """One field of an answer, from related rows: an array for a relation to many, else an object or null."""

    alias: str
    relation: str
    select: Select


@dataclass(frozen=True, slots=True)
class Select:
    """`fields` None: all columns that the caller may read. `one`: the first row or null, not an array.

    `limit` None stands for the guard's default. `after` (keyset) has a slot per entry of `order_by`, which then ends in
    the primary key, as the parser cannot know: the compiler appends the key's columns that are missing, and `after_key`
    holds their slots by column. `distinct`: () none, ("*",) whole rows, else DISTINCT ON these columns.
    """

    table: str
    fields: tuple[Item | Nested, ...] | None = None
    where: Condition = ALWAYS
    order_by: tuple[Order, ...] = ()
    limit: Slot | None = None
    offset: Slot | None = None
    after: tuple[tuple[str, Slot], ...] = ()
    distinct: tuple[str, ...] = ()
    one: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    table: str
    where: Condition = ALWAYS


@dataclass(frozen=True, slots=True)
class Measure:
    """`function` of the target, or of rows for a count without one."""

    alias: str
    function: OneOf["count", "sum", "avg", "min", "max"]
    target: Target | None = None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One row per group (one row in all without `group_by`). `having` and `order_by` speak of aliases of the answer."""

    table: str
    measures: tuple[Measure, ...]
    group_by: tuple[Item, ...] = ()
    where: Condition = ALWAYS
    having: Condition = ALWAYS
    order_by: tuple[Order, ...] = ()
    limit: Slot | None = None
    offset: Slot | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """`columns` of a unique index. `update` None: all given columns that are not in it; (): keep what is there."""

    columns: tuple[str, ...]
    update: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """`rows` holds one tuple of slots per row (None = the column's default). When rows are alike in their columns it is
    None, and `lists` has one slot per column, for the list of all rows' values; so one statement serves any number.

    `one`: the answer is the row itself, not an array. An upsert is an insert with `conflict`.
    """

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Slot | None, ...], ...] | None
    lists: tuple[Slot, ...] = ()
    conflict: Conflict | None = None
    returning: tuple[Item, ...] | None = None
    one: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """`where` is never ALWAYS unless the caller said `all: true`, which the parser turns into `everything`."""

    table: str
    assignments: tuple[tuple[str, Slot], ...]
    where: Condition
    returning: tuple[Item, ...] | None = None
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    table: str
    where: Condition
    returning: tuple[Item, ...] | None = None
    everything: bool = False


Query: TypeAlias = "Select | Count | Aggregate | Insert | Update | Delete"

"""What the parts of one statement share: the schema, the role's grants, the parameters, the names in use. Pure.

A `Place` is a table at an alias as the role may see it. Whoever writes SQL about a row asks the place for it, so that
no column gets into a text unless the role may read it. Conditions of policies are written with `trusted` places: their
author names what he likes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from flux.data.policy.model import Grant, Operation, Policies
from flux.data.query.model import ALWAYS, Condition, Target
from flux.data.schema.model import Relation, Schema, Table
from flux.failure import HostError

from .names import quoted
from .parameters import Parameters
from .plan import Applied
from .terms import Term, column_term, given_term, row, term

if TYPE_CHECKING:
    from flux.data.guard import Guard


class Place:
    """`readable` None: all columns. `hidden`: the SQL of the row condition of its policy, "" for none. `policy`: that
    condition, None when there are more. `first`: it must come before all others. `ready`: the row is that of a
    subquery, which has computed columns as columns. `given`: expressions that stand for columns of it, which are about
    to be written.
    """

    __slots__ = (
        *("alias", "first", "given", "hidden", "policy", "readable", "ready", "row", "statement", "table", "trusted"),
    )

    def __init__(
        self,
        statement: Statement,
        table: Table,
        alias: str,
        readable: frozenset[str] | None,
        *,
        trusted: bool = False,
        given: Mapping[str, str] | None = None,
    ) -> None:
        self.statement = statement
        self.table = table
        self.alias = alias
        self.readable = readable
        self.trusted = trusted
        self.hidden = ""
        self.policy: Condition | None = None
        self.first = False
        self.ready = False
        self.given = given
        self.row = row(table, alias)

    def term(self, target: Target) -> Term:
        """Raises 400 UNKNOWN_COLUMN, 403 FORBIDDEN_COLUMN."""
        name = target.column
        found = None
        if self.given and name in self.given:
            found = given_term(self.table, self.given[name], target, self.statement.parameters)
        elif not target.path:
            found = self.row.terms.get(name) or column_term(self.row, self.alias, name)
        if found is None:
            found = term(self.table, self.alias, target, self.statement.parameters, ready=self.ready)
        if self.readable is not None and name not in self.readable:
            raise forbidden_column(self.table, name, "read", self.statement.role)
        return found

    def check_readable(self, columns: Iterable[str]) -> None:
        """Raises 400 UNKNOWN_COLUMN, 403 FORBIDDEN_COLUMN."""
        for name in columns:
            self.table.column(name)
            if self.readable is not None and name not in self.readable:
                raise forbidden_column(self.table, name, "read", self.statement.role)

    def may_read(self, columns: Iterable[str]) -> bool:
        return self.readable is None or self.readable.issuperset(columns)


class Late(NamedTuple):
    """A check that cannot be asked ahead. `keys`: it wants nothing of rows that are there already by these columns, if
    the grant shows them.
    """

    check: Condition
    keys: tuple[str, ...] = ()
    reading: Grant | None = None


class Statement:
    """One statement while it is written."""

    __slots__ = (
        *("aliases", "applied", "expanding", "gates", "guard", "late", "parameters", "policies", "role", "schema"),
    )

    def __init__(self, schema: Schema, policies: Policies, role: str, guard: Guard) -> None:
        self.schema = schema
        self.policies = policies
        self.role = role
        self.guard = guard
        self.parameters = Parameters()
        self.applied: list[Applied] = []
        # Expressions that fail for what the caller sent. Where rows are hidden they are evaluated before any row is
        # looked at, so that the failure cannot tell whether a row was there.
        self.gates: list[str] = []
        # By event (INSERT, UPDATE), what a row must fulfil that is written by it: see `late`.
        self.late: dict[str, Late] = {}
        # Tables whose policies are being written, outermost first.
        self.expanding: list[str] = []
        self.aliases = 0

    def alias(self) -> str:
        self.aliases += 1
        return f"t{self.aliases}"

    def grant(self, table: Table, operation: Operation) -> Grant:
        """Raises 403 FORBIDDEN_TABLE."""
        found = self.policies.grant(table.name, self.role, operation)
        if found is None:
            why = (
                " It shows rows of tables with policies, and has none of its own."
                if table.name in self.policies.closed
                else ""
            )
            raise HostError(
                "FORBIDDEN_TABLE",
                403,
                f'The role "{self.role}" may not {operation} in table "{table.name}".{why}',
                {"table": table.name, "operation": operation},
            )
        return found

    def apply(self, table: Table, operation: Operation, grant: Grant, check: Condition = ALWAYS) -> None:
        columns = grant.readable if operation in ("select", "delete") else grant.writable
        self.applied.append(Applied(table.name, operation, columns, grant.where, check))

    @property
    def hides(self) -> bool:
        """Whether there may be rows that the caller must not know of."""
        return any(each.where != ALWAYS for each in self.applied)

    def tables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([each.table for each in self.applied]))

    def gate(self) -> str:
        """A condition that is always true, or fails at once; "" when there is nothing that could fail."""
        return f"num_nonnulls({', '.join(self.gates)}) >= 0" if self.gates and self.hides else ""


def source(table: Table, alias: str) -> str:
    return f"{quoted(table.schema)}.{quoted(table.name)} AS {alias}"


def joined(relation: Relation, here: str, there: str, given: Mapping[str, str] | None = None) -> str:
    """The rows of `there` that belong to the row of `here`. `given`: see Place."""
    own = given or {}
    return " AND ".join(
        [
            f"{there}.{quoted(target)} = {own.get(column) or f'{here}.{quoted(column)}'}"
            for column, target in zip(relation.columns, relation.target_columns, strict=True)
        ]
    )


def forbidden_column(table: Table, column: str, action: str, role: str) -> HostError:
    return HostError(
        "FORBIDDEN_COLUMN",
        403,
        f'The role "{role}" may not {action} column "{column}" of table "{table.name}".',
        {"table": table.name, "column": column},
    )

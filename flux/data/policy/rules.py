"""The language of row conditions: text -> `Condition`. Pure; nothing of the text ever reaches SQL as text.

    condition  = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation   = "not" negation | primary
    primary    = "(" condition ")" | "true" | "false"
               | ("exists" | "none" | "every") "(" relation [ "where" condition ] ")"
               | operand comparison | boolean column
    comparison = ("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" | "@>" | "<@" | "&&") operand
               | ["not"] ("like" | "ilike") operand
               | ["not"] "in" ( "(" value { "," value } ")" | fact )
               | ["not"] "between" operand "and" operand
               | "is" ["not"] ("null" | "true" | "false" | "unknown" | "distinct" "from" operand)
    operand    = column { ("->" | "->>") key } | fact | value | "array" "[" [ value { "," value } ] "]"
    fact       = "$auth." ("uid" | "role" | "tenant" | "claims" "." name { "." name })

One side of a comparison is a column. Names are exact (quoted where they are words of the language). `in` with values
and `between` are short for `or` and `and`. NULL behaves as in SQL: a condition that is NULL does not hold.
"""

from __future__ import annotations

from collections.abc import Callable

from flux.data.query.model import (
    ALWAYS,
    NEVER,
    Compare,
    Comparison,
    Condition,
    Every,
    Is,
    Literal,
    Not,
    Related,
    Some,
    Target,
)
from flux.data.schema.model import Schema, Table
from flux.failure import HostError

from .operands import Typed, check, check_operator, typed
from .reader import Operand, Reader
from .tokens import Token

# Parentheses, `not` and relations within each other; people lose count long before.
MAX_DEPTH = 32
# Each relation is a subquery for each row; the engine's own limit of nesting is 6.
MAX_RELATIONS_DEEP = 4

_COMPARISONS: dict[str, Comparison] = {
    **{"=": "eq", "!=": "neq", "<>": "neq", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"},
    **{"@>": "contains", "<@": "contained", "&&": "overlaps"},
}
_FLIPPED: dict[Comparison, Comparison] = {
    **{"eq": "eq", "neq": "neq", "lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"},
    **{"contains": "contained", "contained": "contains", "overlaps": "overlaps"},
}


def parse_rule(text: str, table: Table, schema: Schema) -> Condition:
    """Raises 400 POLICY_INVALID with the position, a line with a caret and what was expected."""
    parser = _Parser(text, schema)
    condition = parser.disjunction(table)
    if parser.next.kind != "end":
        parser.fail(f"{parser.next.told} cannot stand here", "and, or, or the end")
    return condition


class _Parser(Reader):
    def __init__(self, text: str, schema: Schema) -> None:
        super().__init__(text)
        self.schema = schema
        self.depth = 0
        self.related = 0

    def disjunction(self, table: Table) -> Condition:
        terms = self._joined(table, "or", self.conjunction)
        return terms[0] if len(terms) == 1 else Some(tuple(terms))

    def conjunction(self, table: Table) -> Condition:
        terms = self._joined(table, "and", self.negation)
        return terms[0] if len(terms) == 1 else Every(tuple(terms))

    def _joined(self, table: Table, word: str, part: Callable[[Table], Condition]) -> list[Condition]:
        terms = [part(table)]
        while self.accept(word):
            terms.append(part(table))
        return terms

    def negation(self, table: Table) -> Condition:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"nested deeper than {MAX_DEPTH} levels")
        condition = Not(self.negation(table)) if self.accept("not") else self.primary(table)
        self.depth -= 1
        return condition

    def primary(self, table: Table) -> Condition:
        self.count()
        if self.accept("("):
            condition = self.disjunction(table)
            self.require(")")
            return condition
        if token := self.accept("exists", "none", "every"):
            return self.relation(token, table)
        first = self.next
        left = self.operand()
        if isinstance(left, Literal) and isinstance(left.value, bool) and not self._comparing():
            return ALWAYS if left.value else NEVER
        return self.comparison(first, left, table)

    def relation(self, word: Token, table: Table) -> Condition:
        self.require("(")
        name = self.require(kind="name", expected="the name of a relation")
        try:
            relation = table.relation(name.text)
            target = self.schema.table(relation.target)
        except HostError as error:
            self.fail(error.message, at=name)
        self.related += 1
        if self.related > MAX_RELATIONS_DEEP:
            self.fail(f"relations nested deeper than {MAX_RELATIONS_DEEP} levels", at=name)
        where = self.disjunction(target) if self.accept("where") else ALWAYS
        self.related -= 1
        self.require(")", expected=")" if where is not ALWAYS else "where, or )")
        return Related(relation.name, {"exists": "some", "none": "none", "every": "every"}[word.text], where)  # type: ignore[arg-type]  # one of the three

    def _comparing(self) -> bool:
        token = self.next
        return (token.kind == "symbol" and token.text in _COMPARISONS) or (
            token.kind == "keyword" and token.text in ("in", "like", "ilike", "between", "is", "not")
        )

    def comparison(self, first: Token, left: Operand, table: Table) -> Condition:
        operator = self.next
        if token := self.accept(*_COMPARISONS):
            return self.compared(first, left, _COMPARISONS[token.text], operator, self.operand_at(), table)
        place = self.place(first, left, table)
        negated = self.accept("not") is not None
        if token := self.accept("like", "ilike"):
            kind: Comparison = "like" if token.text == "like" else "ilike"
            found = self.compared(first, left, kind, operator, self.operand_at(), table)
            return Not(found) if negated else found
        if self.accept("in"):
            return self.listed(place, negated, table)
        if self.accept("between"):
            low = self.compared(first, left, "gte", operator, self.operand_at(), table)
            self.require("and")
            found = Every((low, self.compared(first, left, "lte", operator, self.operand_at(), table)))
            return Not(found) if negated else found
        if negated:
            self.fail(f"{self.next.told} cannot stand here", "in, like, ilike or between")
        if self.accept("is"):
            return self.being(first, place, operator, table)
        if place.family != "boolean":
            self.fail(f'"{place.target.column}" is of type {place.type}, not boolean', "an operator")
        return Compare(place.target, "eq", Literal(True))

    def compared(
        self, first: Token, left: Operand, operator: Comparison, at: Token, right: tuple[Token, Operand], table: Table
    ) -> Condition:
        self.count()
        second, value = right
        if not isinstance(left, Target) and isinstance(value, Target) and operator in _FLIPPED:
            first, second, left, value, operator = second, first, value, left, _FLIPPED[operator]
        place = self.place(first, left, table)
        self.checked(at, lambda: check_operator(place, operator))
        if isinstance(value, Target):
            self.checked(second, lambda: typed(table, value))
        self.checked(at if isinstance(value, Target) else second, lambda: check(table, place, operator, value))
        return Compare(place.target, operator, value)

    def listed(self, place: Typed, negated: bool, table: Table) -> Condition:
        """`in`: with values it is an OR of comparisons, so that no list needs a type of its own."""
        start = self.next
        if start.text == "$auth" and start.kind == "symbol":
            fact = self.fact()
            self.checked(start, lambda: check(table, place, "in", fact))
            return Compare(place.target, "nin" if negated else "in", fact)
        self.require("(", expected="( or $auth.claims...")
        terms = []
        while True:
            token, value = self.operand_at()
            self.count()
            if isinstance(value, Target):
                self.checked(token, lambda column=value: typed(table, column))  # type: ignore[misc]  # a default binds it
            self.checked(token, lambda operand=value: check(table, place, "eq", operand))  # type: ignore[misc]  # same
            terms.append(Compare(place.target, "neq" if negated else "eq", value))
            if not self.accept(","):
                break
        self.require(")", expected=", or )")
        return terms[0] if len(terms) == 1 else Every(tuple(terms)) if negated else Some(tuple(terms))

    def being(self, first: Token, place: Typed, at: Token, table: Table) -> Condition:
        negated = self.accept("not") is not None
        if self.accept("distinct"):
            self.require("from")
            found = self.compared(first, place.target, "is_distinct", at, self.operand_at(), table)
            return Not(found) if negated else found
        token = self.require("null", "true", "false", "unknown", expected="null, true, false, unknown or distinct from")
        if token.text != "null" and place.family != "boolean":
            self.fail(f'"{place.target.column}" is of type {place.type}, not boolean', "null", at=token)
        return Is(place.target, token.text, negated)  # type: ignore[arg-type]  # one of the four

    def place(self, at: Token, operand: Operand, table: Table) -> Typed:
        if not isinstance(operand, Target):
            self.fail("one side of a comparison is a column", "a column", at=at)
        return self.checked(at, lambda: typed(table, operand))

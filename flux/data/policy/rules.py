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
from typing import NoReturn, TypeVar

from flux.data.query.model import (
    ALWAYS,
    NEVER,
    Auth,
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
from flux.failure import HostError, nearest

from .operands import Constant, Typed, check, check_operator, typed
from .tokens import Token, refused, tokens

# Parentheses, `not` and relations within each other; people lose count long before.
MAX_DEPTH = 32
# Each relation is a subquery for each row; the engine's own limit of nesting is 6.
MAX_RELATIONS_DEEP = 4
# Comparisons of one condition; those of a list in `in` count, too.
MAX_TERMS = 200

Operand = Target | Auth | Literal
T = TypeVar("T")

_COMPARISONS: dict[str, Comparison] = {
    **{"=": "eq", "!=": "neq", "<>": "neq", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"},
    **{"@>": "contains", "<@": "contained", "&&": "overlaps"},
}
_FLIPPED: dict[Comparison, Comparison] = {
    **{"eq": "eq", "neq": "neq", "lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"},
    **{"contains": "contained", "contained": "contains", "overlaps": "overlaps"},
}
_FACTS = ("uid", "role", "tenant", "claims")


def parse_rule(text: str, table: Table, schema: Schema) -> Condition:
    """Raises 400 POLICY_INVALID with the position, a line with a caret and what was expected."""
    parser = _Parser(text, schema)
    condition = parser.disjunction(table)
    if parser.next.kind != "end":
        parser.fail(f"{parser.next.told} cannot stand here", "and, or, or the end")
    return condition


class _Parser:
    def __init__(self, text: str, schema: Schema) -> None:
        self.text = text
        self.schema = schema
        self.tokens = tokens(text)
        self.at = 0
        self.depth = 0
        self.related = 0
        self.terms = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def fail(self, problem: str, expected: str = "", at: Token | None = None) -> NoReturn:
        raise refused(self.text, (at or self.next).start, problem, expected)

    def accept(self, *words: str, kind: str = "") -> Token | None:
        """The next word if it is one of these keywords or symbols (or of this kind), which is then passed."""
        token = self.next
        if token.kind == kind or (token.kind in ("keyword", "symbol") and token.text in words):
            self.at += 1
            return token
        return None

    def require(self, *words: str, kind: str = "", expected: str = "") -> Token:
        token = self.accept(*words, kind=kind)
        if token is None:
            self.fail(f"{self.next.told} cannot stand here", expected or " or ".join(words))
        return token

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
        self._count()
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
        self._count()
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
            self._count()
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

    def operand_at(self) -> tuple[Token, Operand]:
        return self.next, self.operand()

    def operand(self) -> Operand:
        token = self.next
        if token.kind == "name":
            return self.column()
        if token.kind == "symbol" and token.text == "$auth":
            return self.fact()
        if self.accept("array"):
            return Literal(self.array())
        return Literal(self.value("a column, $auth or a value"))

    def value(self, expected: str) -> Constant:
        token = self.next
        self.at += 1
        if token.kind == "string":
            return token.text
        if token.kind == "number":
            return float(token.text) if set(token.text) & set(".eE") else int(token.text)
        if token.kind == "keyword" and token.text in ("true", "false", "null"):
            return None if token.text == "null" else token.text == "true"
        self.at -= 1
        self.fail(f"{token.told} cannot stand here", expected)

    def array(self) -> tuple[Constant, ...]:
        self.require("[")
        values: list[Constant] = []
        if self.accept("]"):
            return ()
        while True:
            self._count()
            values.append(self.value("a value"))
            if not self.accept(","):
                break
        self.require("]", expected=", or ]")
        return tuple(values)

    def column(self) -> Target:
        name = self.require(kind="name")
        path: list[str | int] = []
        as_text = False
        while not as_text and (arrow := self.accept("->", "->>")):
            as_text = arrow.text == "->>"
            key = self.next
            value = self.value("a key such as 'theme', or a position")
            if isinstance(value, bool | float) or value is None:
                self.fail(f"{key.told} is not a place in JSON", "a key such as 'theme', or a position", at=key)
            path.append(value)
        return Target(name.text, tuple(path), as_text)

    def fact(self) -> Auth:
        self.require("$auth")
        names = [self._fact_name("uid, role, tenant or claims")]
        start = self.tokens[self.at - 1]
        if names[0] not in _FACTS:
            self.fail(f"$auth has no {names[0]!r}.{nearest(names[0], _FACTS)}", "uid, role, tenant or claims", at=start)
        while self.next.kind == "symbol" and self.next.text == ".":
            if names[0] != "claims":
                self.fail(f"$auth.{names[0]} has no parts", "an operator")
            names.append(self._fact_name("the name of a claim"))
        if names == ["claims"]:
            self.fail("$auth.claims is an object", ". and the name of a claim")
        return Auth(tuple(names))

    def _fact_name(self, expected: str) -> str:
        self.require(".", expected=f". and {expected}")
        token = self.next
        if token.kind not in ("name", "keyword"):
            self.fail(f"{token.told} cannot stand here", expected)
        self.at += 1
        start = token.start
        # Keywords are lower-cased; a claim's name is as it was written.
        return self.text[start : start + len(token.text)] if token.kind == "keyword" else token.text

    def place(self, at: Token, operand: Operand, table: Table) -> Typed:
        if not isinstance(operand, Target):
            self.fail("one side of a comparison is a column", "a column", at=at)
        return self.checked(at, lambda: typed(table, operand))

    def checked(self, at: Token, work: Callable[[], T]) -> T:
        try:
            return work()
        except ValueError as error:
            self.fail(str(error), at=at)

    def _count(self) -> None:
        self.terms += 1
        if self.terms > MAX_TERMS:
            self.fail(f"more than {MAX_TERMS} comparisons")

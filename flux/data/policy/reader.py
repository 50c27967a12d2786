"""The words of a condition, and the operands of its comparisons: columns, facts of the caller, values. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from flux.data.query.model import Auth, Literal, Target
from flux.failure import nearest

from .operands import Constant
from .tokens import Token, refused, tokens

# Comparisons of one condition; those of a list in `in` count, too.
MAX_TERMS = 200

Operand = Target | Auth | Literal
T = TypeVar("T")

_FACTS = ("uid", "role", "tenant", "claims")


class Reader:
    """From left to right. What it refuses is 400 POLICY_INVALID, with the position (see `tokens.refused`)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0
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
            self.count()
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

    def checked(self, at: Token, work: Callable[[], T]) -> T:
        try:
            return work()
        except ValueError as error:
            self.fail(str(error), at=at)

    def count(self) -> None:
        self.terms += 1
        if self.terms > MAX_TERMS:
            self.fail(f"more than {MAX_TERMS} comparisons")

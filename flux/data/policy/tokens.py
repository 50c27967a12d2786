"""The words of a condition, and the error that points at one of them. Pure."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from flux.failure import HostError

Kind = Literal["keyword", "name", "string", "number", "symbol", "end"]

# Longer conditions are programs, and belong into a view or a function of one row.
MAX_LENGTH = 4096
# How much of the text an error shows on either side of its place.
SHOWN_EACH_SIDE = 40

KEYWORDS = frozenset(
    (
        *("and", "or", "not", "in", "like", "ilike", "between", "is", "null", "true", "false", "unknown"),
        *("distinct", "from", "exists", "none", "every", "where", "array"),
    )
)

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<name>[^\W\d]\w*)
  | (?P<quoted>"(?:[^"]|"")+")
  | (?P<string>'(?:[^']|'')*')
  | (?P<symbol>\$auth\b|->>|->|@>|<@|&&|<>|!=|<=|>=|[=<>(),.\[\]])
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """`text`: keywords in lower case, names and strings without their quotes. `start`: where it stands, from 0."""

    kind: Kind
    text: str
    start: int

    @property
    def told(self) -> str:
        return "the end" if self.kind == "end" else f"{self.text!r}"


def tokens(text: str) -> list[Token]:
    """All words, ending in one of kind "end". Raises 400 POLICY_INVALID."""
    if len(text) > MAX_LENGTH:
        raise HostError(
            "POLICY_INVALID", 400, f"The condition has {len(text)} characters; {MAX_LENGTH} are allowed.", {}
        )
    if "\0" in text:
        raise refused(text, text.index("\0"), "Postgres has no text with NUL in it")
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            opened = {"'": "a closing '", '"': 'a closing "', "$": "$auth"}
            expected = opened.get(text[position], "a column, a value or an operator")
            raise refused(text, position, f"cannot read {text[position]!r}", expected)
        if match.lastgroup != "space":
            found.append(_token(match))
        position = match.end()
    found.append(Token("end", "", len(text)))
    return found


def _token(match: re.Match[str]) -> Token:
    text, start = match[0], match.start()
    if match.lastgroup == "quoted":
        return Token("name", text[1:-1].replace('""', '"'), start)
    if match.lastgroup == "string":
        return Token("string", text[1:-1].replace("''", "'"), start)
    if match.lastgroup == "name":
        lower = text.lower()
        return Token("keyword", lower, start) if lower in KEYWORDS else Token("name", text, start)
    return Token("number" if match.lastgroup == "number" else "symbol", text, start)


def refused(text: str, position: int, problem: str, expected: str = "") -> HostError:
    """400 POLICY_INVALID whose message shows the place:

    At character 12: unknown column "ownr". Did you mean "owner"?
        id = 3 and ownr = 4
                   ^
    """
    start = max(0, position - SHOWN_EACH_SIDE)
    shown = re.sub(r"\s", " ", text[start : position + SHOWN_EACH_SIDE])
    told = f"{problem}; expected {expected}" if expected else problem
    lines = [f"At character {position + 1}: {told}", f"    {shown}", "    " + " " * (position - start) + "^"]
    details = {"position": position + 1, "problem": problem} | ({"expected": expected} if expected else {})
    return HostError("POLICY_INVALID", 400, "\n".join(lines), details)

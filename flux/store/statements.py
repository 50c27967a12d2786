"""What the statements of a migration's text must not be. Pure.

All migrations run in one transaction of ours, sent as text. COMMIT in one of them would end it half-way, with what came
before applied and not noted; COPY FROM STDIN would wait for rows that nobody sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_IN_ONE_TRANSACTION = "a migration runs in a transaction already, with what is recorded of it: leave this out"
_REFUSED = {
    **dict.fromkeys(("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"), _IN_ONE_TRANSACTION),
    "PREPARE TRANSACTION": _IN_ONE_TRANSACTION,
    "COPY FROM STDIN": "there are no rows to send but in statements: write INSERT (pg_dump --inserts does)",
}

# Quotes, comments and parentheses hide semicolons; the words are what is left. In this order: E'' is no word.
_TOKEN = re.compile(
    r"""
    (?P<skipped> \s+ | --[^\r\n]* | [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" )
    | (?P<comment> /\* )
    | (?P<dollar> \$ (?:[^\W\d]\w*)? \$ )
    | (?P<word> [^\W\d][\w$]* | [\d][\w$.]* )
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def refusal(sql: str) -> tuple[int, str] | None:
    """(line, why) of the first statement that a migration must not have."""
    for position, words in statements(sql):
        found = _kind(words)
        if found in _REFUSED:
            return sql.count("\n", 0, position) + 1, f"{found}: {_REFUSED[found]}"
    return None


def _kind(words: list[str]) -> str:
    first, second = words[0], words[1] if len(words) > 1 else ""
    if first == "ROLLBACK" and "TO" in words:
        return "ROLLBACK TO"  # a savepoint of its own
    if first == "COPY":
        return "COPY FROM STDIN" if ("FROM", "STDIN") in pairwise(words) else first
    return f"{first} {second}" if first == "PREPARE" else first


def statements(sql: str) -> Iterator[tuple[int, list[str]]]:
    """Of each statement where it begins and its words, in upper case: no constants, names in quotes or comments."""
    words: list[str] = []
    start = depth = 0  # of parentheses (a rule's statements), and of BEGIN ATOMIC with the CASEs in it
    at = 0
    while match := _TOKEN.match(sql, at):
        at = match.end()
        if match["comment"]:
            at = behind_comment(sql, at)
        elif match["dollar"]:
            closing = sql.find(match[0], at)
            at = len(sql) if closing < 0 else closing + len(match[0])
        elif match["word"]:
            start = start if words else match.start()
            words.append(match[0].upper())
            depth += _nested(words, depth)
        elif match["sign"] == ";" and depth <= 0:
            if words:
                yield start, words
            words, depth = [], 0
        elif match["sign"] and match["sign"] in "()":
            depth += 1 if match["sign"] == "(" else -1
    if words:
        yield start, words


def _nested(words: list[str], depth: int) -> int:
    """What the last word adds to the depth: the body of an SQL function holds statements until its END."""
    if words[-2:] == ["BEGIN", "ATOMIC"]:
        return 1
    if depth > 0 and "ATOMIC" in words:
        return {"CASE": 1, "END": -1}.get(words[-1], 0)
    return 0


def behind_comment(sql: str, at: int) -> int:
    """Where the comment ends that began right before `at`. They nest; one without an end is the rest."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(sql, at)):
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return len(sql) if depth else at

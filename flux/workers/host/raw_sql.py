"""What a raw SQL text is, as far as the host must know before it runs it. Pure.

This guards the pool, not the database: what a function may do there, Postgres decides. What must not happen is that one
execution's BEGIN, SET, LISTEN or DEALLOCATE is found on the connection by the next one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from flux.failure import HostError
from flux.store.statements import behind_comment

MAX_LENGTH = 256 * 1024  # longer statements carry data in their text, which belongs into parameters

# Session-wide commands, and COPY, which speaks another protocol. asyncpg sends one statement per text, so the first
# word tells.
_REFUSED = {
    **dict.fromkeys(
        ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"), "use ctx.db.transaction"
    ),
    **dict.fromkeys(("PREPARE", "EXECUTE", "DEALLOCATE"), "statements are prepared and kept for you"),
    **dict.fromkeys(("LISTEN", "UNLISTEN"), "the connection is not yours when a notification comes"),
    **dict.fromkeys(("DECLARE", "FETCH", "MOVE", "CLOSE"), "use limit and offset, or a key to continue from"),
    "COPY": "use insertMany, or a select",
    "DISCARD": "the connection is kept clean for you",
    "LOAD": "libraries are loaded by the server's settings",
}

# What these leave behind on the connection must be undone before another execution gets it.
_CLEAN = frozenset(("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE", "EXPLAIN", "SHOW"))
_SESSION_FUNCTION = re.compile(r"set_config|advisory|dblink|setseed|\btemp(?:orary)?\b|pg_temp|\binto\b", re.IGNORECASE)
_INSERT_INTO = re.compile(r"\b(?:insert|merge)\s+into\b", re.IGNORECASE)

# What can only read begins with one of these and has none of the words. Rare ones that write although nothing shows it
# (an operator of the team's, a view) are found by Postgres: flux.workers.host.login.
_READING = frozenset(("SELECT", "VALUES", "TABLE", "SHOW", "WITH"))
_WRITING = frozenset(("insert", "update", "delete", "merge", "nextval", "setval", "share"))
_WORD = re.compile(r"\w+")

_LEADING = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|\()*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Nature:
    """`keyword`: the first word, upper case. `leaves_state`: the session may be changed afterwards. `runs_code`: it is
    the author's own, which may have done anything to the session.
    """

    keyword: str
    leaves_state: bool
    runs_code: bool


@lru_cache(maxsize=1024)
def inspect(text: str) -> Nature:
    """Raises 400 INVALID_SQL for an empty text, STATEMENT_REFUSED for what would not stay within the call."""
    if len(text) > MAX_LENGTH:
        raise HostError("INVALID_SQL", 400, f"The statement has {len(text)} characters; {MAX_LENGTH} are allowed.")
    start = _skip(text)
    match = re.compile(r"[A-Za-z_]+").match(text, start)
    if match is None:
        raise HostError("INVALID_SQL", 400, "The text does not start with an SQL statement.")
    keyword = match[0].upper()
    if keyword in _REFUSED:
        raise HostError("STATEMENT_REFUSED", 400, f"{keyword} is not possible in ctx.db.sql: {_REFUSED[keyword]}.")
    suspicious = _SESSION_FUNCTION.search(_INSERT_INTO.sub("", text)) is not None
    runs_code = keyword in ("DO", "CALL") or "pg_temp" in text.lower()
    return Nature(keyword=keyword, leaves_state=keyword not in _CLEAN or suspicious, runs_code=runs_code)


def reads(text: str, volatile: frozenset[str]) -> bool:
    """Whether the statement cannot change a row. `volatile`: names of functions that may, in lower case."""
    words = _words(text)
    return words is not None and words.isdisjoint(volatile)


@lru_cache(maxsize=1024)
def _words(text: str) -> frozenset[str] | None:
    """All words of the text, in lower case; None when it may write."""
    nature = inspect(text)
    found = frozenset(_WORD.findall(text.lower()))
    # Identifiers can be written with escapes: U&"d!0061ta".
    if nature.keyword not in _READING or nature.leaves_state or not found.isdisjoint(_WRITING) or 'u&"' in text.lower():
        return None
    return found


def _skip(text: str) -> int:
    """The position of the first word: after white space, comments (block comments nest) and opening parentheses."""
    position = 0
    while True:
        match = _LEADING.match(text, position)
        position = match.end() if match else position
        if not text.startswith("/*", position):
            return position
        position = behind_comment(text, position + 2)

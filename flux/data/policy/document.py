"""A policy document -> `TablePolicy`. One structure for the project's TOML files and the API's JSON:

    masked = ["password_hash"]          # columns that enter the mutation record as hashes only
    preset = "owner(user_id)"           # for the whole table: one, or a list

    [member]                            # a role
    preset = "read_only"                # to start from

    [member.update]                     # an operation: select, insert, update, delete
    columns = ["email"]                 # readable (select) or writable; "*" (the default), or { except = [...] }
    where = "id = $auth.uid"            # rows that it may see or touch
    check = "email is not null"         # what rows must fulfil after it wrote them

`select = true` grants an operation without conditions. The role "*" is anybody; a role's own grant goes before it.
Pure. Errors are 400 POLICY_INVALID and begin with the key: `member.update.where: ...`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

from flux.data.query.model import ALWAYS, Condition
from flux.data.schema.model import Schema, Table
from flux.failure import HostError, nearest

from .model import ANYBODY, OPERATIONS, Grant, Operation, TablePolicy
from .presets import preset, table_presets
from .rules import parse_rule

Document = Mapping[str, Any]
T = TypeVar("T")

# As Postgres' identifiers: a role's name becomes part of one.
ROLE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
# A role costs a Postgres role and a policy per operation.
MAX_ROLES = 50
# The larger part of it are conditions, each of at most 4096 characters.
MAX_DOCUMENT_BYTES = 256 * 1024

_OWN_KEYS = ("masked", "preset")
_KEYS: dict[Operation, tuple[str, ...]] = {
    "select": ("columns", "where"),
    "insert": ("columns", "check"),
    "update": ("columns", "where", "check"),
    "delete": ("where",),
}
_WHY_NOT = {
    ("insert", "where"): ' A new row was nowhere before: use "check".',
    ("select", "check"): ' Nothing is written: use "where".',
    ("delete", "check"): ' Nothing is written: use "where".',
    ("delete", "columns"): " Rows are deleted whole.",
}


def read_document(table: str, document: Any, schema: Schema) -> TablePolicy:
    """The policy of `table`. Raises 400 POLICY_INVALID, or UNKNOWN_TABLE."""
    found = schema.table(table)
    if not isinstance(document, dict):
        _fail("", "must be an object (a TOML file) of roles")
    roles = [key for key in document if key not in _OWN_KEYS]
    if len(roles) > MAX_ROLES:
        _fail("", f"{len(roles)} roles; {MAX_ROLES} are allowed")
    masked = _names("masked", document.get("masked", []), found.columns)
    presets = document.get("preset", [])
    if not isinstance(presets, str) and not (isinstance(presets, list) and all(isinstance(p, str) for p in presets)):
        _fail("preset", "must be a preset's name, or a list of them")
    texts = [presets] if isinstance(presets, str) else presets
    grants = _at("preset", lambda: table_presets(texts, found))
    for role in roles:
        if role != ANYBODY and not ROLE.fullmatch(role):
            _fail(role, 'roles are letters, digits, "_" and "-", or "*" for anybody')
        for operation, grant in _role(role, document[role], found, schema).items():
            grants[role, operation] = grant
    return TablePolicy(table=table, grants=_with_readable(grants), masked=masked)


def _role(role: str, content: Any, table: Table, schema: Schema) -> dict[Operation, Grant]:
    if not isinstance(content, dict):
        hint = nearest(role, _OWN_KEYS)
        _fail(role, f'must be a table: [{role}] with preset = "...", or [{role}.select].{hint}')
    grants: dict[Operation, Grant] = {}
    for key in content:
        if key not in (*OPERATIONS, "preset"):
            _unknown(f"{role}.{key}", key, (*OPERATIONS, "preset"))
    if "preset" in content:
        text = content["preset"]
        if not isinstance(text, str):
            _fail(f"{role}.preset", "must be a preset's name")
        grants.update(_at(f"{role}.preset", lambda: preset(text, table)))
    for operation in OPERATIONS:
        if operation in content:
            grants[operation] = _operation(f"{role}.{operation}", operation, content[operation], table, schema)
    return grants


def _operation(where: str, operation: Operation, content: Any, table: Table, schema: Schema) -> Grant:
    if content is True:
        return Grant()
    if not isinstance(content, dict):
        _fail(where, f"must be true, or a table with {', '.join(_KEYS[operation])} (leave it out to deny it)")
    for key in content:
        if key not in _KEYS[operation]:
            _unknown(f"{where}.{key}", key, _KEYS[operation], _WHY_NOT.get((operation, key), ""))
    columns = _columns(f"{where}.columns", content.get("columns", "*"), table, writing=operation != "select")
    check = _condition(f"{where}.check", content["check"], table, schema) if "check" in content else None
    return Grant(
        readable=columns if operation == "select" else None,
        writable=columns if operation != "select" else None,
        where=_condition(f"{where}.where", content["where"], table, schema) if "where" in content else ALWAYS,
        check=check,
    )


def _condition(where: str, text: Any, table: Table, schema: Schema) -> Condition:
    if not isinstance(text, str):
        _fail(where, 'must be a condition in quotes: "id = $auth.uid"')
    try:
        return parse_rule(text, table, schema)
    except HostError as error:
        _fail(where, error.message[0].lower() + error.message[1:], error.details)


def _columns(where: str, value: Any, table: Table, *, writing: bool) -> frozenset[str] | None:
    """None = all of them, those of later migrations included."""
    known = [*table.columns] if writing else [*table.columns, *table.computed]
    if value == "*":
        return None
    if isinstance(value, dict):
        if set(value) != {"except"}:
            _fail(where, 'must be "*", a list of columns, or { except = [...] }')
        return frozenset(known) - _names(f"{where}.except", value["except"], known)
    return _names(where, value, known)


def _names(where: str, value: Any, known: Iterable[str]) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        _fail(where, "must be a list of columns")
    for name in value:
        if name not in known:
            _fail(where, f'no column "{name}".{nearest(name, known)}')
    return frozenset(value)


def _with_readable(grants: Mapping[tuple[str, Operation], Grant]) -> dict[tuple[str, Operation], Grant]:
    """What a write may answer with is what the role may select: see `Grant.readable`."""
    found = dict(grants)
    for (role, operation), grant in grants.items():
        if operation != "select":
            reading = grants.get((role, "select")) or grants.get((ANYBODY, "select"))
            found[role, operation] = replace(grant, readable=reading.readable if reading else frozenset())
    return found


def _at(where: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except ValueError as error:
        _fail(where, str(error))


def _unknown(where: str, key: str, allowed: tuple[str, ...], why: str = "") -> NoReturn:
    _fail(where, f"unknown key.{why or nearest(key, allowed)} Allowed: {', '.join(allowed)}")


def _fail(where: str, message: str, details: Mapping[str, Any] | None = None) -> NoReturn:
    told = f"{where}: {message}" if where else message
    raise HostError("POLICY_INVALID", 400, told, {"key": where, **(details or {})})

"""ON CONFLICT. Pure.

A row that is inserted must pass the insert grant's check. One that is there already must be a row that the role may
update (and see, as it is found by its columns), and what becomes of it must pass the update grant's check. Whichever
does not hold ends the statement; skipping the row silently would look like success.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flux.data.policy.model import Grant
from flux.data.query.model import ALWAYS, Condition, Conflict, Insert
from flux.data.schema.model import Table
from flux.failure import HostError

from .ahead import conflict_ahead, is_plain
from .conditions import granted
from .hidden import both
from .names import quoted
from .statement import Place, Statement
from .written import check_of, check_writable, checked, unless, when

# Which row was updated last: says, where a row is answered, whether it was inserted or was there.
_PATH: Final = "flux.updated"


def on_conflict(
    statement: Statement,
    place: Place,
    reading: Grant | None,
    query: Insert,
    conflict: Conflict,
    inserting: Condition,
    guard: str,
) -> tuple[str, str, str]:
    """What follows VALUES; the check of written rows (`guard` is that of inserted ones); what goes ahead of it all."""
    table = place.table
    place.check_readable(conflict.columns)
    _check_unique(table, conflict.columns)
    target = f" ON CONFLICT ({', '.join([quoted(name) for name in conflict.columns])})"
    if conflict.update == ():
        return target + _nothing(place, reading, conflict, inserting), guard, ""
    grant = statement.grant(table, "update")
    updating = check_of(grant)
    statement.apply(table, "update", grant, updating)
    changed = list(conflict.update or [name for name in query.columns if name not in conflict.columns])
    check_writable(statement, table, grant, changed)
    _check_alike(query, changed)
    # Something must be set, or a row that is there would not be answered; this changes nothing.
    sets = ", ".join([f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name in changed or conflict.columns[:1]])
    touchable = granted(statement, table, "t", grant)
    if reading is not None and reading.where != grant.where:
        touchable = both(touchable, granted(statement, table, "t", reading))
    text = f"{target} DO UPDATE SET {sets}"
    # Before the row is written, too: see `ahead`.
    touchable = both(touchable, conflict_ahead(statement, table, changed, updating))
    if updating == inserting:
        return f"{text} WHERE {when(touchable)}" if touchable else text, guard, ""
    return _by_path(statement, table, conflict, text, touchable, checked(statement, table, updating), guard)


def _nothing(place: Place, reading: Grant | None, conflict: Conflict, inserting: Condition) -> str:
    """Where nobody can tell ahead whether a row may be inserted, a hidden one that is there ends the statement: leaving
    it alone would tell of it.
    """
    table = place.table
    if reading is None or ALWAYS in (reading.where, inserting) or table.checked or is_plain(table, inserting):
        return " DO NOTHING"
    seen, name = granted(place.statement, table, "t", reading), quoted(conflict.columns[0])
    return f" DO UPDATE SET {name} = EXCLUDED.{name} WHERE CASE WHEN {seen} THEN false ELSE {when('false')} END"


def _by_path(
    statement: Statement, table: Table, conflict: Conflict, text: str, touchable: str, must: str, guard: str
) -> tuple[str, str, str]:
    """Where the two checks differ, RETURNING must know how its row came about, which Postgres before 18 does not tell.

    So the update notes the key of its row in a setting, and RETURNING compares. A note that is another row's (a trigger
    took the update back) decides nothing: then both checks count.
    """
    own = f"jsonb_build_array({', '.join([f't.{quoted(name)}' for name in conflict.columns])})::text"
    noted = f"set_config('{_PATH}', {own}, true) IS NOT NULL"
    where = f"CASE WHEN {touchable} THEN {noted} ELSE {when('false')} END" if touchable else noted
    insert_check, update_check = guard or "1", unless(must) if must else "1"
    note = f"current_setting('{_PATH}', true)"
    check = (
        f"CASE WHEN {note} = {own} THEN {update_check} WHEN {note} <> '' THEN ({insert_check}) * ({update_check}) "
        f"ELSE {insert_check} END + length(set_config('{_PATH}', '', true))"
    )
    return f"{text} WHERE {where}", check, f"(SELECT set_config('{_PATH}', '', true)) IS NOT NULL"


def _check_alike(query: Insert, changed: Sequence[str]) -> None:
    """Where one row gives a column and another does not, EXCLUDED has the default for the other, and a row that exists
    would lose what it has. Raises 400 MISSING_VALUE.
    """
    for number, row in enumerate(query.rows or ()):
        given = dict(zip(query.columns, row, strict=True))
        for name in changed:
            if given[name] is None:
                raise HostError(
                    "MISSING_VALUE",
                    400,
                    f'"data[{number}]" has no value for "{name}", which others have: a row that exists would get the '
                    'default. Upsert rows with the same columns, or say in "on_conflict.update" what changes.',
                    {"place": f"data[{number}]", "column": name},
                )


def _check_unique(table: Table, columns: Sequence[str]) -> None:
    """Raises 400 INVALID_ARGUMENT when no unique index is of these columns."""
    wanted = set(columns)
    unique = [index.columns for index in table.indexes if index.unique and not index.partial]
    if table.key and table.key not in unique:
        unique.append(table.key)
    if not any(set(found) == wanted for found in unique):
        allowed = "; ".join(", ".join(found) for found in unique) or "none"
        raise HostError(
            "INVALID_ARGUMENT",
            400,
            f'Table "{table.name}" has no unique index of: {", ".join(columns)}. It has: {allowed}.',
            {"table": table.name, "columns": list(columns)},
        )

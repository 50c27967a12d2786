"""Values as JSON text made by Postgres, exactly as `flux.data.types.to_json` and orjson write them. Pure.

Rows are put together in the database as text, which spares the worker a decoder per value and the wire a second form.
Texts are joined with `||` and become JSON without being parsed again, which is what makes this as fast as row_to_json.

A column may have got another type a moment ago, which this schema does not know yet. So nothing is written without
quotes but what Postgres itself takes for JSON (to_json), or has just cast to a number: the answer stays JSON.
"""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

from typing import Final

import orjson

from flux.data.types.codec import Codec
from flux.data.types.to_json import MAX_SAFE_INTEGER

from .names import constant

# An instant with seconds, and one with microseconds; without a fraction when there is none.
_WHOLE, _FRACTION = '\\"YYYY-MM-DD"T"HH24:MI:SS{}\\"', '\\"YYYY-MM-DD"T"HH24:MI:SS.US{}\\"'
_CLOCK_WHOLE, _CLOCK_FRACTION = "HH24:MI:SS", "HH24:MI:SS.US"


def _quoted(sql: str) -> str:
    """For texts in which nothing needs an escape."""
    return f"'\"' || {sql}::text || '\"'"


def _numeric(sql: str) -> str:
    return _quoted(f"{sql}::numeric")


def _integer(sql: str) -> str:
    return f"{sql}::integer::text"


def _oid(sql: str) -> str:
    return _json(f"{sql}::bigint")


def _json(sql: str) -> str:
    return f"to_json({sql})::text"


def _bigint(sql: str) -> str:
    safe = f"{sql} BETWEEN -{MAX_SAFE_INTEGER} AND {MAX_SAFE_INTEGER}"
    return f"CASE WHEN {safe} THEN {sql}::text ELSE {_quoted(sql)} END"


def _instant(sql: str, at: str, type_name: str, ending: str) -> str:
    """to_json leaves zeros at the end of a fraction out. It is faster than to_char, so it writes those without any."""
    whole, fraction = constant(_WHOLE.format(ending)), constant(_FRACTION.format(ending))
    close = ending.strip('"') + '"'
    fast = f"rtrim(to_json({at})::text, '\"') || '{close}'"
    # Of what is infinite, to_char makes NULL.
    return (
        f"CASE WHEN {sql} <> {sql}::{type_name}(5) THEN {fast} "
        f"ELSE coalesce(to_char({at}, CASE WHEN {sql} = {sql}::{type_name}(0) THEN {whole} ELSE {fraction} END), "
        f"to_json({sql})::text) END"
    )


def _timestamptz(sql: str) -> str:
    return _instant(sql, f"{sql} AT TIME ZONE 'UTC'", "timestamptz", '"Z"')


def _timestamp(sql: str) -> str:
    return _instant(sql, sql, "timestamp", "")


def _clock(sql: str) -> str:
    return (
        f"to_char({sql}::time::interval, "
        f"CASE WHEN {sql}::time = {sql}::time(0) THEN '{_CLOCK_WHOLE}' ELSE '{_CLOCK_FRACTION}' END)"
    )


def _time(sql: str) -> str:
    return f"'\"' || {_clock(sql)} || '\"'"


def _timetz(sql: str) -> str:
    """Postgres leaves the minutes of an offset out when there are none."""
    offset = f"substring({sql}::text from '[+-][0-9:]+$')"
    return f"'\"' || {_clock(sql)} || rpad({offset}, greatest(length({offset}), 6), ':00') || '\"'"


def _bytea(sql: str) -> str:
    return f"'\"' || translate(encode({sql}, 'base64'), E'\\n', '') || '\"'"


_SCALARS: Final = {
    "smallint": _integer,
    "integer": _integer,
    "oid": _oid,
    "bigint": _bigint,
    "numeric": _numeric,
    "timestamp with time zone": _timestamptz,
    "timestamp without time zone": _timestamp,
    "time without time zone": _time,
    "time with time zone": _timetz,
    "bytea": _bytea,
}
# Arrays of these have elements that array_to_json would write in another way.
_ARRAYS_AS: Final = {"numeric": "text[]", "oid": "bigint[]"}
_ELEMENTWISE: Final = frozenset(
    (
        *("bigint", "bytea", "timestamp with time zone", "timestamp without time zone"),
        *("time without time zone", "time with time zone"),
    )
)


def json_form(sql: str, codec: Codec) -> str:
    """The text of the JSON that stands for the value of the expression `sql`; 'null' for NULL."""
    name = codec.sql
    if codec.array:
        element = name.removesuffix("[]")
        if codec.cast:
            text = f"array_to_json({sql}::text[])::text"
        elif element in _ELEMENTWISE:
            text = _elements(sql, element)
        elif element in _ARRAYS_AS:
            text = f"array_to_json({sql}::{_ARRAYS_AS[element]})::text"
        else:
            text = f"array_to_json({sql})::text"
    elif codec.cast:
        text = f"to_json({sql}::text)::text"
    else:
        text = _SCALARS.get(name, _json)(sql)
    return f"coalesce({text}, 'null')"


def _elements(sql: str, element: str) -> str:
    """Arrays whose elements are written one by one; their dimensions become brackets.

    An element is the first of as many arrays as there are dimensions whose size divides its position.
    """
    each = f"coalesce({_SCALARS[element]('e.v')}, 'null')"
    flat = f"(SELECT '[' || string_agg({each}, ',') || ']' FROM unnest({sql}) AS e (v))"
    sizes = (
        f"(SELECT array_agg((SELECT round(exp(sum(ln(array_length({sql}, i)))))::int "
        f"FROM generate_series(d, array_ndims({sql})) AS i)) FROM generate_series(1, array_ndims({sql})) AS d)"
    )
    deep = (
        f"(SELECT string_agg(repeat('[', (SELECT count(*) FROM unnest(s.sizes) AS z WHERE (e.n - 1) % z = 0)::int) "
        f"|| {each} || repeat(']', (SELECT count(*) FROM unnest(s.sizes) AS z WHERE e.n % z = 0)::int), ',' "
        f"ORDER BY e.n) "
        f"FROM unnest({sql}) WITH ORDINALITY AS e (v, n), (SELECT {sizes} AS sizes) AS s)"
    )
    return (
        f"CASE WHEN {sql} IS NULL THEN NULL WHEN cardinality({sql}) = 0 THEN '[]' "
        f"WHEN array_ndims({sql}) = 1 THEN {flat} ELSE {deep} END"
    )


def key(name: str) -> str:
    """`"name":`, as it stands in front of a value."""
    return orjson.dumps(name).decode() + ":"

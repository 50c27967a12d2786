"""Values as JSON text made by Postgres, exactly as `flux.data.types.to_json` and orjson write them. Pure.

Rows are put together in the database as text, which spares the worker a decoder per value and the wire a second form.
The texts become JSON without being parsed again, which is what makes this as fast as row_to_json. Each operator and
function costs Postgres 0.1 to 0.2 µs per statement, before the first row: for single rows that is most of it.

A column may have got another type a moment ago, which this schema does not know yet. So nothing is written without
quotes but what Postgres itself takes for JSON (to_json), or has just cast to a number: the answer stays JSON.
"""

# ruff: noqa: S608  # the texts are put together here, from names of the schema and this package's own words

from __future__ import annotations

from functools import lru_cache
from typing import Final

from flux.data.types.codec import Codec
from flux.data.types.to_json import MAX_SAFE_INTEGER
from flux.record.javascript import dumps

# Most statements name the same columns.
MAX_KEYS: Final = 1024

# Instants whose text ends in a digit: not infinite, and not "BC".
_PLAIN_INSTANTS = "'[0001-01-01 00:00:00+00,infinity)'::tstzrange"


def _numeric(sql: str) -> str:
    return f"'\"' || {sql}::numeric::text || '\"'"


def _integer(sql: str) -> str:
    return f"{sql}::integer::text"


def _oid(sql: str) -> str:
    return _json(f"{sql}::bigint")


def _json(sql: str) -> str:
    return f"to_json({sql})"


def _bigint(sql: str) -> str:
    safe = f"{sql} BETWEEN -{MAX_SAFE_INTEGER} AND {MAX_SAFE_INTEGER}"
    return f"CASE WHEN {safe} THEN {sql}::text WHEN {sql} IS NOT NULL THEN concat('\"', {sql}, '\"') END"


def _timestamptz(sql: str) -> str:
    """to_json would write it in the session's time zone. An interval for the zone is found faster than a name."""
    instant = f"{sql}::timestamptz"
    text = f"left(to_json({instant} AT TIME ZONE INTERVAL '0')::text, -1)"
    return f"{text} || CASE WHEN {instant} <@ {_PLAIN_INSTANTS} THEN 'Z\"' ELSE '\"' END"


def _timetz(sql: str) -> str:
    """Postgres leaves the minutes of an offset out when there are none."""
    return f"to_json(regexp_replace({sql}::text, '(?<=[+-][0-9][0-9])$', ':00'))"


def _bytea(sql: str) -> str:
    return f"'\"' || translate(encode({sql}, 'base64'), E'\\n', '') || '\"'"


_SCALARS: Final = {
    "smallint": _integer,
    "integer": _integer,
    "oid": _oid,
    "bigint": _bigint,
    "numeric": _numeric,
    "timestamp with time zone": _timestamptz,
    "time with time zone": _timetz,
    "bytea": _bytea,
}
# Arrays of these have elements that array_to_json would write in another way.
_ARRAYS_AS: Final = {"numeric": "text[]", "oid": "bigint[]"}
_ELEMENTWISE: Final = frozenset(("bigint", "bytea", "timestamp with time zone", "time with time zone"))


def json_form(sql: str, codec: Codec) -> str:
    """The JSON that stands for the value of the expression `sql`, as text or as json; 'null' for NULL."""
    name = codec.sql
    if codec.array:
        element = name.removesuffix("[]")
        if codec.cast:
            value = f"array_to_json({sql}::text[])"
        elif element in _ELEMENTWISE:
            value = _elements(sql, element)
        elif element in _ARRAYS_AS:
            value = f"array_to_json({sql}::{_ARRAYS_AS[element]})"
        else:
            value = f"array_to_json({sql})"
    elif codec.cast:
        value = _json(f"{sql}::text")
    else:
        value = _SCALARS.get(name, _json)(sql)
    return f"coalesce({value}, 'null')"


def _elements(sql: str, element: str) -> str:
    """Arrays whose elements are written one by one; their dimensions become brackets.

    An element is the first of as many arrays as there are dimensions whose size divides its position.
    """
    each = f"coalesce({_SCALARS[element]('e.v')}, 'null')::text"
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


@lru_cache(maxsize=MAX_KEYS)
def key(name: str) -> str:
    """`"name":`, as it stands in front of a value."""
    return dumps(name).decode() + ":"

"""How each type of Postgres travels between JSON and asyncpg, without loss.

Types that asyncpg handles well go through its binary codecs; a `Codec` converts what JSON cannot say. Dates and times
with a date are counted (`calendar`). All the others travel as Postgres' own text: those that `TEXT_TYPES` lists because
the connection is told so, the rest (ranges, composites, types of extensions) by a cast in the statement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from . import calendar, from_json, to_json

if TYPE_CHECKING:
    from flux.store.pool import Connection

Convert = Callable[[Any], Any]

TEXT_TYPES = (
    *("interval", "inet", "cidr", "bit", "varbit"),
    *("point", "line", "lseg", "box", "path", "polygon", "circle"),
)
JSON_TYPES = ("json", "jsonb")

# A database has some hundred types, most of them enumerations; past this, schemas compare unequal and are read again.
MAX_CODECS = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Codec:
    """How one type travels. `encode` raises ValueError saying what is expected; neither function ever gets None.

    `cast`: the statement must cast between the type, named `sql`, and text. `array`: the values are lists.
    """

    sql: str
    encode: Convert
    decode: Convert | None
    cast: bool = False
    array: bool = False


async def set_codecs(connection: Connection) -> None:
    """Prepares a new connection; costs no round trip."""
    await set_parameter_codecs(connection)
    for name in JSON_TYPES:
        await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=orjson.Fragment, format="text")


async def set_parameter_codecs(connection: Connection) -> None:
    """Prepares it for what encoders give."""
    for name in TEXT_TYPES:
        await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str, format="text")
    for name, (encode, decode) in calendar.COUNTED.items():
        await connection.set_type_codec(name, schema="pg_catalog", encoder=encode, decoder=decode, format="tuple")


async def reset_parameter_codecs(connection: Connection) -> None:
    for name in (*TEXT_TYPES, *calendar.COUNTED):
        await connection.reset_type_codec(name, schema="pg_catalog")


@lru_cache(maxsize=MAX_CODECS)
def codec(type_name: str, *, sql: str, array: bool = False, labels: tuple[str, ...] = ()) -> Codec:
    """The codec of a type by its name in pg_type ("enum" for enumerations; unknown ones travel as text).

    `labels`: what the enumeration allows. The same arguments give the same object, so schemas can be compared.
    """
    if type_name in _CODECS:
        encode, decode = _CODECS[type_name]
        cast = False
    else:
        encode, decode, cast = _CAST.get(type_name, from_json.string), None, True
    if labels:
        encode = from_json.label(labels)
    if array:
        encode, decode = from_json.each(encode, flat=type_name in JSON_TYPES), decode and to_json.each(decode)
    return Codec(sql=sql, encode=encode, decode=decode, cast=cast, array=array)


# Types that travel as text, but do not only take text.
_CAST: dict[str, Convert] = {"money": from_json.amount}

_CODECS: dict[str, tuple[Convert, Convert | None]] = {
    "int2": (from_json.integer(16), None),
    "int4": (from_json.integer(32), None),
    "int8": (from_json.integer(64), to_json.bigint),
    "oid": (from_json.integer(32, signed=False), None),
    "float4": (from_json.real, to_json.single),
    "float8": (from_json.real, to_json.double),
    "numeric": (from_json.decimal, to_json.decimal),
    "bool": (from_json.boolean, None),
    "uuid": (from_json.uuid, str),
    "timestamptz": (from_json.timestamptz, to_json.instant),
    "timestamp": (from_json.timestamp, to_json.instant),
    "date": (from_json.day, None),
    "time": (from_json.time_of_day, to_json.time_of_day),
    "timetz": (from_json.time_of_day, to_json.time_of_day),
    "bytea": (from_json.octets, to_json.octets),
    **dict.fromkeys(JSON_TYPES, (from_json.json, None)),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext", "enum", *TEXT_TYPES), (from_json.string, None)),
}

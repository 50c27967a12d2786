"""The types of columns, as introspect.sql has them: what travels, whatever domains are around it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flux.data.types.codec import Codec, codec
from flux.data.types.family import Family, family


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnType:
    """A type with its modifier, domains resolved. `domain`, `strict` and `default` are those of the domain, if any."""

    codec: Codec
    text: str
    family: Family
    domain: str | None
    strict: bool
    default: str | None
    labels: tuple[str, ...]


def column_type(row: Sequence[Any]) -> ColumnType:
    _, _, text, sql, domain, strict, default, name, typtype, built_in, array, labels = row
    known = name if built_in or name == "citext" else "enum" if typtype == "e" else ""
    return ColumnType(
        codec=codec(known, sql=sql, array=array, labels=tuple(labels or ())),
        text=text,
        family=family(known, typtype=typtype, array=array),
        domain=domain,
        strict=strict,
        default=default,
        labels=tuple(labels or ()),
    )

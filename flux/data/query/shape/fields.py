"""Fields, order, measures and rows to write, taken apart. See `walk`."""

from __future__ import annotations

from typing import Any, Final

from flux.data.query.format import DIRECTIONS, MAX_CELLS, MEASURES, NULLS

from .unusual import COUNT, Unusual, flag

_WAYS: Final = {
    (direction, nulls): f"{direction or DIRECTIONS[0]} {nulls or ''}"
    for direction in (None, *DIRECTIONS)
    for nulls in (None, *NULLS)
}
_WAY_KEYS: Final = frozenset(("direction", "nulls"))


def names(names: Any, parts: list[str]) -> None:
    if type(names) is not list:
        raise Unusual
    parts.append(COUNT[len(names)])
    parts += names  # `_joined` refuses what is not a string


def flat(fields: dict[str, Any], parts: list[str]) -> None:
    """Aliases of columns, without related rows."""
    parts.append(COUNT[len(fields)])
    for alias, field in fields.items():
        if field is True:
            parts.append(alias)
            parts.append("=")
        else:
            parts.append(alias)
            parts.append("from")
            parts.append(field)


def returning(returning: Any, parts: list[str]) -> None:
    if returning is None:
        parts.append("*")
    elif type(returning) is dict:
        parts.append("fields")
        flat(returning, parts)
    else:
        parts.append("columns")
        names(returning, parts)


def _ordered(order: Any, parts: list[str]) -> None:
    found: list[str] = []
    for entry in order if type(order) is list else (order,):
        if type(entry) is str:
            found += (entry, "asc ")
        elif type(entry) is dict:
            for name, way in entry.items():
                if type(way) is str:
                    if way not in DIRECTIONS:
                        raise Unusual
                    found += (name, f"{way} ")
                elif type(way) is dict:
                    found += (name, _way(way))
                else:
                    raise Unusual
        else:
            raise Unusual
    parts.append(str(len(found)))
    parts += found


def _way(way: dict[str, Any]) -> str:
    direction, nulls = way.get("direction"), way.get("nulls")
    for word in (direction, nulls):
        if word is not None and type(word) is not str:
            raise Unusual
    found = _WAYS.get((direction, nulls))
    if found is None or not way or not _WAY_KEYS.issuperset(way):
        raise Unusual
    return found


def page(document: dict[str, Any], parts: list[str], values: list[Any]) -> None:
    order = document.get("order_by")
    if order is None:
        parts.append("0")
    else:
        _ordered(order, parts)
    limit, offset = document.get("limit"), document.get("offset")
    if limit is None:
        parts.append("-")
    else:
        parts.append("limit")
        values.append(limit)
    if offset is None:
        parts.append("-")
    else:
        parts.append("offset")
        values.append(offset)


def measures(aggregates: dict[str, Any], parts: list[str]) -> None:
    parts.append(COUNT[len(aggregates)])
    for alias, measure in aggregates.items():
        if type(measure) is str:
            parts.append(alias)
            parts.append("rows")
            parts.append(measure)
            continue
        if type(measure) is not dict:
            raise Unusual
        distinct = flag(measure.get("distinct"))
        functions = [name for name in measure if name != "distinct"]
        if len(functions) != 1 or functions[0] not in MEASURES:
            raise Unusual
        parts.append(alias)
        parts.append(distinct)
        parts.append(functions[0])
        parts.append(measure[functions[0]])


def data_rows(data: Any, parts: list[str], values: list[Any]) -> None:
    if type(data) is dict:
        parts.append("one")
        parts.append(COUNT[len(data)])
        parts += data
        values += data.values()
        return
    if type(data) is not list:
        raise Unusual
    if not all(type(row) is dict for row in data):
        raise Unusual
    first = data[0].keys() if data else ()
    if first and all(row.keys() == first for row in data):
        parts.append("lists")
        parts.append(COUNT[len(first)])
        parts += first
        values += [[row[name] for row in data] for name in first]
        return
    columns = dict.fromkeys(name for row in data for name in row)
    if len(data) * len(columns) > MAX_CELLS:
        raise Unusual
    parts.append("rows")
    parts.append(COUNT[len(columns)])
    parts += columns
    parts.append(COUNT[len(data)])
    for row in data:
        parts.append("".join(["+" if name in row else "-" for name in columns]))
        values += [row[name] for name in columns if name in row]

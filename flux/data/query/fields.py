"""Lists of columns, fields of answers, order and measures, from JSON. Pure; raises 400 INVALID_QUERY with the place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, cast

from .format import DIRECTIONS, MEASURES, NULLS
from .forms import FORMS, Form
from .model import Item, Measure, Order, Target
from .targets import field, name, target
from .wrong import at, unknown, wrong


def names(entries: Any, place: str, form: Form) -> tuple[str, ...]:
    """Column names, at least one and each once."""
    if not isinstance(entries, list) or not entries:
        raise wrong(place, f"must be {form.words}.")
    found: dict[str, None] = {}
    for index, entry in enumerate(entries):
        here = f"{place}[{index}]"
        if name(entry, here) in found:
            raise wrong(here, "names a column that is there already.")
        found[entry] = None
    return tuple(found)


def returning(fields: Any, place: str) -> tuple[Item, ...] | None:
    if fields is None:
        return None
    if isinstance(fields, dict):
        return flat_fields(fields, place)
    return tuple([field(entry, place) for entry in names(fields, place, FORMS["returning"])])


def flat_fields(fields: dict[str, Any], place: str) -> tuple[Item, ...]:
    """{alias: true | target}, at least one."""
    if not fields:
        raise wrong(place, f"must be {FORMS['aliased'].words}.")
    return tuple([_flat_field(alias, what, at(place, str(alias))) for alias, what in fields.items()])


def _flat_field(alias: Any, what: Any, place: str) -> Item:
    if what is True:
        return field(alias, place)
    name(alias, place)
    if not isinstance(what, str):
        raise wrong(place, 'must be true, "column" or a path into JSON.')
    return Item(alias, target(what, place))


def group_fields(groups: Any, place: str) -> tuple[Item, ...]:
    if groups is None:
        return ()
    if not isinstance(groups, list):
        raise wrong(place, f"must be {FORMS['group_by'].words}.")
    found: list[Item] = []
    for index, group in enumerate(groups):
        here = f"{place}[{index}]"
        if isinstance(group, dict):
            found += flat_fields(group, here)
        else:
            found.append(field(group, here))
    return tuple(found)


def order(order_by: Any, place: str, resolve: Callable[[object, str], Target]) -> tuple[Order, ...]:
    if isinstance(order_by, list):
        return tuple(
            [found for index, entry in enumerate(order_by) for found in _order(entry, f"{place}[{index}]", resolve)]
        )
    return tuple(_order(order_by, place, resolve))


def _order(entry: Any, place: str, resolve: Callable[[object, str], Target]) -> Iterator[Order]:
    if isinstance(entry, str):
        yield Order(resolve(entry, place))
    elif isinstance(entry, dict):
        for text, way in entry.items():
            here = at(place, str(text))
            yield Order(resolve(text, here), *_way(way, here))
    else:
        raise wrong(place, f"must be {FORMS['order_by'].words}.")


def _way(way: Any, place: str) -> tuple[bool, Literal["", "first", "last"]]:
    """Whether descending, and where NULL goes."""
    nulls = None
    if isinstance(way, dict) and way:
        for key in way:
            if key not in ("direction", "nulls"):
                raise unknown(place, "key", str(key), ("direction", "nulls"))
        way, nulls = way.get("direction") or DIRECTIONS[0], way.get("nulls")
        if nulls is not None and nulls not in NULLS:
            raise wrong(at(place, "nulls"), 'must be "first" or "last".')
    if way not in DIRECTIONS:
        raise wrong(place, 'must be "asc", "desc", or {"direction": "asc" | "desc", "nulls": "first" | "last"}.')
    return way == "desc", nulls or ""


def measures(aggregates: Any, place: str) -> tuple[Measure, ...]:
    if aggregates is None:
        return ()
    if not isinstance(aggregates, dict):
        raise wrong(place, f"must be {FORMS['aggregates'].words}.")
    return tuple([_measure(alias, what, at(place, str(alias))) for alias, what in aggregates.items()])


def _measure(alias: Any, what: Any, place: str) -> Measure:
    name(alias, place)
    if what == "count":
        return Measure(alias, "count")
    if not isinstance(what, dict):
        raise wrong(place, f'must be "count", or an object as {{"sum": "column"}} with {", ".join(MEASURES)}.')
    for key in what:
        if key not in MEASURES and key != "distinct":
            raise unknown(place, "function", str(key), (*MEASURES, "distinct"))
    functions = [key for key in what if key != "distinct"]
    distinct = what.get("distinct")
    if len(functions) != 1:
        raise wrong(place, f"must have one of {', '.join(MEASURES)}.")
    if distinct is not None and not isinstance(distinct, bool):
        raise wrong(at(place, "distinct"), f"must be {FORMS['flag'].words}.")
    (function,) = functions
    measured = target(what[function], at(place, function))
    return Measure(alias, cast(Any, function), measured, bool(distinct))

"""Query documents by Hypothesis: valid ones with holes for values, and the same with something broken in them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from flux.data.query.format import DIRECTIONS, MEASURES, NULLS, OPERATORS, RELATED

# Names that look like the marks of the walk are among them.
NAMES = st.sampled_from(
    ["id", "email", "a b", "ü", "0", "1", "=", "{", "-", "*", "null", "any", "eq", "config", "some"]
)
PATHS = st.sampled_from(["settings->theme", "settings->>theme", "tags->0->>'1'", "column:and", "column:a->b", "a->-1"])
TARGETS = NAMES | PATHS
SCALARS = st.one_of(st.integers(-9, 9), st.booleans(), st.text(max_size=3), st.floats(allow_nan=False, width=16))
JSON = st.recursive(
    SCALARS | st.none(),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["any", "all", "x"]), inner, max_size=2)
    ),
    max_leaves=3,
)


class Hole:
    """A place for a value; `fill` puts one there. Null is part of a query's shape, so no hole gives it."""

    def __init__(self, strategy: st.SearchStrategy[Any]) -> None:
        self.strategy = strategy


_SCALAR = Hole(SCALARS)
_VALUE = Hole(
    JSON.filter(lambda value: value is not None and not (isinstance(value, dict) and ({"any", "all"} & value.keys())))
)
_TEXT = Hole(st.text(max_size=3))
_ANY = Hole(JSON)
_HOLES: dict[str, st.SearchStrategy[Any]] = {
    "value": st.just(_VALUE),
    "text": st.just(_TEXT),
    "list": st.just(Hole(st.lists(JSON.filter(lambda value: value is not None), max_size=3)))
    | st.just(Hole(st.lists(SCALARS, max_size=2).map(lambda entries: [None, *entries]))),
    "pair": st.just(Hole(st.lists(SCALARS, min_size=2, max_size=2))),
    "flag": st.booleans(),
    "truth": st.sampled_from([None, True, False, "unknown"]),
    "words": st.just(_TEXT)
    | st.just({"query": _TEXT})
    | st.fixed_dictionaries({"query": st.just(_TEXT), "config": st.sampled_from(["english", "=", None])}),
}
_QUANTIFIED = {
    "value": Hole(st.lists(SCALARS, max_size=2)),
    "text": Hole(st.lists(st.text(max_size=2), max_size=2)),
}


def _operand(name: str) -> st.SearchStrategy[Any]:
    (operator,) = [operator for operator in OPERATORS if operator.name == name]
    found = _HOLES[operator.operand]
    if operator.nullable:
        found = found | st.none()
    if operator.quantified:
        found = found | st.sampled_from(["any", "all"]).map(lambda word: {word: _QUANTIFIED[operator.operand]})
    return found


@st.composite
def _operators(draw: st.DrawFn, deep: int = 1) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from([operator.name for operator in OPERATORS]), max_size=2, unique=True))
    found = {name: draw(_operand(name)) for name in names}
    if not found or (deep and draw(st.integers(0, 5)) == 0):
        found["not" if deep else "eq"] = draw(_operators(deep=0)) if deep else _VALUE
    return found


@st.composite
def wheres(draw: st.DrawFn, names: st.SearchStrategy[str] = TARGETS, relations: bool = True, deep: int = 2) -> Any:
    """The templates of `where`."""
    found: dict[str, Any] = {}
    for name in draw(st.lists(names, max_size=2, unique=True)):
        kind = draw(st.sampled_from(["scalar", "null", "operators", "related"]))
        plain = "->" not in name and not name.startswith("column:")
        if kind == "related" and relations and plain and deep:
            quantifiers = draw(st.lists(st.sampled_from(list(RELATED)), min_size=1, max_size=2, unique=True))
            found[name] = {quantifier: draw(wheres(deep=deep - 1)) for quantifier in quantifiers}
        elif kind == "null":
            found[name] = None
        else:
            found[name] = draw(_operators()) if kind == "operators" else _SCALAR
    if deep and draw(st.booleans()):
        inner = wheres(names, relations, deep - 1)
        found |= draw(
            st.fixed_dictionaries(
                {}, optional={"and": st.lists(inner, max_size=2), "or": st.lists(inner, max_size=2), "not": inner}
            )
        )
    return found


def _columns() -> st.SearchStrategy[Any]:
    return st.lists(NAMES, min_size=1, max_size=3, unique=True)


def _aliased() -> st.SearchStrategy[Any]:
    return st.dictionaries(NAMES, st.just(True) | TARGETS, min_size=1, max_size=3)


def _orders(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    words = {"direction": st.sampled_from([*DIRECTIONS, None]), "nulls": st.sampled_from([*NULLS, None])}
    way = st.sampled_from(DIRECTIONS) | st.fixed_dictionaries({}, optional=words).filter(bool)
    entry = names | st.dictionaries(names, way, max_size=2)
    return entry | st.lists(entry, max_size=2)


_NUMBER = st.just(Hole(st.integers(0, 9)))


def _rows(deep: int) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "where": wheres(),
        "order_by": _orders(TARGETS),
        "limit": _NUMBER,
        "offset": _NUMBER,
        "columns" if deep == 0 else "select": _columns() if deep == 0 else _fields(deep - 1),
    }


def _fields(deep: int) -> st.SearchStrategy[Any]:
    nested = st.fixed_dictionaries({}, optional={"relation": NAMES, **_rows(deep)})
    return st.dictionaries(NAMES, st.just(True) | TARGETS | nested, min_size=1, max_size=3)


def _selects() -> st.SearchStrategy[Any]:
    after = st.dictionaries(NAMES, st.just(_ANY), min_size=1, max_size=2)
    more = {
        "distinct": st.booleans() | _columns().filter(lambda names: "*" not in names),
        "one": st.booleans(),
        "after": after,
    }
    found = st.fixed_dictionaries(
        {"table": NAMES}, optional={"operation": st.sampled_from(["select", None]), **_rows(2), **more}
    )
    return found.filter(lambda query: not ("offset" in query and "after" in query))


@st.composite
def _aggregates(draw: st.DrawFn) -> Any:
    measure = st.just("count") | st.builds(
        lambda name, target, distinct: {name: target, **distinct},
        st.sampled_from(MEASURES),
        TARGETS,
        st.fixed_dictionaries({}, optional={"distinct": st.booleans()}),
    )
    names = draw(st.lists(NAMES, min_size=2, max_size=4, unique=True))
    groups = [draw(st.sampled_from([name, {name: True}, {name: "a->>b"}])) for name in names[1:]]
    aliases = st.sampled_from(names)
    query: dict[str, Any] = {"table": draw(NAMES), "operation": "aggregate", "aggregates": {names[0]: draw(measure)}}
    more = {
        "where": wheres(),
        "having": wheres(aliases, relations=False),
        "order_by": _orders(aliases),
        "limit": _NUMBER,
    }
    return {**query, "group_by": groups, **draw(st.fixed_dictionaries({}, optional=more))}


@st.composite
def _inserts(draw: st.DrawFn) -> Any:
    row = st.dictionaries(NAMES, st.just(_ANY), max_size=3)
    data = draw(row | st.lists(row, max_size=3) | row.flatmap(lambda one: st.just([one] * 3)))
    query: dict[str, Any] = {"table": draw(NAMES), "operation": "insert", "data": data}
    query |= draw(st.fixed_dictionaries({}, optional={"returning": _columns() | _aliased()}))
    first = data if isinstance(data, dict) else data[0] if data else {}
    if draw(st.booleans()) and first:
        columns = draw(st.lists(st.sampled_from(list(first)), min_size=1, unique=True))
        update = draw(st.fixed_dictionaries({}, optional={"update": st.just("nothing") | st.just(columns) | st.none()}))
        query["operation"] = "upsert"
        query["on_conflict"] = draw(st.sampled_from([columns, {"columns": columns, **update}]))
    return query


@st.composite
def _changes(draw: st.DrawFn) -> Any:
    which = draw(st.just({"all": True}) | wheres().map(lambda where: {"where": {"id": _SCALAR, **where}}))
    query = {"table": draw(NAMES), "operation": "delete", **which}
    query |= draw(st.fixed_dictionaries({}, optional={"returning": _columns() | _aliased()}))
    if draw(st.booleans()):
        query["operation"] = "update"
        query["data"] = draw(st.dictionaries(NAMES, st.just(_ANY), min_size=1, max_size=3))
    return query


def templates() -> st.SearchStrategy[Any]:
    """Valid documents with holes in place of values."""
    count = st.fixed_dictionaries({"table": NAMES, "operation": st.just("count")}, optional={"where": wheres()})
    return st.one_of(_selects(), count, _aggregates(), _inserts(), _changes())


def filled(draw: Callable[[st.SearchStrategy[Any]], Any], template: Any) -> Any:
    """The template with a value in each hole."""
    if isinstance(template, Hole):
        return draw(template.strategy)
    if isinstance(template, dict):
        return {name: filled(draw, inner) for name, inner in template.items()}
    return [filled(draw, inner) for inner in template] if isinstance(template, list) else template


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """Valid documents."""
    return filled(draw, draw(templates()))


JUNK = st.sampled_from(
    [None, True, False, 0, 1, -1, 1.5, "", "x", "eq", "=", "0", "asc", "a->", "->a", "a\0b", "nul\0", [], {}, [[]], [1]]
) | st.sampled_from([["id"], ["id", "id"], [None], {"x": 1}, {"any": 5}, {"eq": 1}, {"some": {}}, {"not": {}}, [{}]])


@st.composite
def broken(draw: st.DrawFn) -> tuple[Any, Any]:
    """A valid document, and the same with one thing replaced, added, renamed or removed; it may still be valid."""
    document = draw(documents())
    other = copy.deepcopy(document)
    places = list(_places(other))
    inside = [place for place in places if place[1] not in ("table", "operation")]
    where = draw(st.sampled_from(inside or places))
    change = draw(st.sampled_from(["replace", "remove", "rename", "add"]))
    container, key = where
    if change == "add" and isinstance(container[key], dict):
        container[key][draw(st.sampled_from(["x", "wher", "all", "limit", "and", "eq", "n\0", ""]))] = draw(JUNK)
    elif change == "rename" and isinstance(container, dict):
        container[draw(st.sampled_from(["x", "and", "not", "eq", "columns", "some", "a\0=", ""]))] = container.pop(key)
    elif change == "remove":
        del container[key]
    else:
        container[key] = draw(JUNK)
    return document, other


def _places(node: Any) -> Any:
    """(container, key) of everything inside, from the outside in."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, inner in list(entries):
        yield node, key
        yield from _places(inner)

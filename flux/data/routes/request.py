"""One HTTP request to a data route as the query that it asks for. Pure; raises HostError.

| request                     | operation             | answer                                          |
|-----------------------------|-----------------------|-------------------------------------------------|
| GET /users                  | select                | 200 rows                                        |
| GET /users/:id              | select one            | 200 row, 404                                    |
| POST /users                 | insert, upsert        | 201 row, or rows for an array                   |
| PATCH /users/:id            | update                | 200 row, 404                                    |
| PATCH /users?...            | update                | 200 rows                                        |
| DELETE /users/:id, ?...     | delete                | 204, 404; 200 with `returning`                  |
| POST /users/query           | the document's        | 200 what the operation answers                  |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import orjson

from flux.data.guard import USUAL, check_size
from flux.data.query.format import OPERATIONS
from flux.failure import HostError, invalid, nearest
from flux.manifest import DataRoute

from .parameters import COUNT, Filter, read_parameters, unknown_parameters
from .specs import ID, row_path

# What the request is answered with: the rows, the row of a key, what was made, changed or removed, or the operation's
# own answer.
Answer = Literal["rows", "row", "created", "changed", "changed row", "removed", "removed row", "result"]

_SHOWN: Final = frozenset(("select", "columns"))
_WHICH: Final = frozenset(("where", "all"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """`query` is a document of the query format; `key` and `filters` are texts of the URL that come to it.

    `count`: the number of all rows is wanted, too. `returning`: the caller said what is to be answered.
    """

    query: Mapping[str, Any]
    answer: Answer
    key: str | None = None
    filters: tuple[Filter, ...] = ()
    count: bool = False
    returning: bool = False

    def arguments(self) -> bytes:
        """Of the host call `db.query`, as JSON."""
        return _arguments(self.query, self.key, self.filters)

    def counting(self) -> bytes:
        """Of a second one, for `count`."""
        query = {"table": self.query["table"], "operation": "count"}
        if "where" in self.query:
            query["where"] = self.query["where"]
        return _arguments(query, None, self.filters)


class Request(NamedTuple):
    """`matched` is the declared path that the gateway found; of an invocation by name it is none of the route's."""

    method: str
    matched: str
    params: Mapping[str, str]
    query: Mapping[str, str | list[str]]
    headers: Iterable[Iterable[str]]
    body: bytes | None


def read_request(route: DataRoute, request: Request) -> Asked:
    """Raises 400 INVALID_ARGUMENT, INVALID_JSON, QUERY_TOO_LARGE; 403 FORBIDDEN_OPERATION; 415."""
    if request.matched == row_path(route):
        asked = _ROW[_method(request)](route, request, request.params[ID])
    elif request.matched == route.path:
        asked = _TABLE[_method(request)](route, request)
    else:
        asked = _document(route, request)
    operation = str(asked.query["operation"])
    if operation not in route.operations or (asked.count and "count" not in route.operations):
        missing = operation if operation not in route.operations else "count"
        raise HostError(
            "FORBIDDEN_OPERATION",
            403,
            f'"{missing[:100]}" is not among what this route does: {", ".join(route.operations)}.'
            + nearest(missing[:100], route.operations),
        )
    return asked


def _method(request: Request) -> str:
    return "GET" if request.method == "HEAD" else request.method


def _find(route: DataRoute, request: Request) -> Asked:
    taken = frozenset(("where", "order_by", "limit", "offset", "after", "distinct", COUNT)) | _SHOWN
    found, filters = read_parameters(request.query, taken, filters=True)
    count = found.pop(COUNT, False)
    return Asked(query=_query(route, "select", found), answer="rows", filters=tuple(filters), count=count)


def _find_one(route: DataRoute, request: Request, key: str) -> Asked:
    found, _ = read_parameters(request.query, _SHOWN, filters=False)
    return Asked(query=_query(route, "select", {**found, "one": True}), answer="row", key=key)


def _make(route: DataRoute, request: Request) -> Asked:
    found, _ = read_parameters(request.query, frozenset(("returning", "on_conflict")), filters=False)
    data = _body(request)
    if not isinstance(data, dict | list):
        raise invalid("The body must be a row, an object, or an array of rows.")
    operation = "upsert" if "on_conflict" in found else "insert"
    return Asked(
        query=_query(route, operation, {**found, "data": data}), answer="created", returning="returning" in found
    )


def _change(route: DataRoute, request: Request) -> Asked:
    found, filters = read_parameters(request.query, _WHICH | {"returning"}, filters=True)
    query = _query(route, "update", {**found, "data": _row(request)})
    return Asked(query=query, answer="changed", filters=tuple(filters), returning="returning" in found)


def _change_one(route: DataRoute, request: Request, key: str) -> Asked:
    found, _ = read_parameters(request.query, frozenset(("returning",)), filters=False)
    query = _query(route, "update", {**found, "data": _row(request)})
    return Asked(query=query, answer="changed row", key=key, returning="returning" in found)


def _remove(route: DataRoute, request: Request) -> Asked:
    found, filters = read_parameters(request.query, _WHICH | {"returning"}, filters=True)
    _no_body(request)
    query = _query(route, "delete", found)
    return Asked(query=query, answer="removed", filters=tuple(filters), returning="returning" in found)


def _remove_one(route: DataRoute, request: Request, key: str) -> Asked:
    found, _ = read_parameters(request.query, frozenset(("returning",)), filters=False)
    _no_body(request)
    return Asked(query=_query(route, "delete", found), answer="removed row", key=key, returning="returning" in found)


def _document(route: DataRoute, request: Request) -> Asked:
    if request.query:
        raise unknown_parameters(list(request.query), frozenset())
    check_size(len(request.body or b""), USUAL)
    query = _body(request)
    if not isinstance(query, dict):
        raise invalid('The body must be a query, an object such as {"where": {"plan": "pro"}, "limit": 20}.')
    if query.get("table", route.table) != route.table:
        raise invalid(f'This route answers for the table "{route.table}" only; leave out "table".')
    operation = query.get("operation", "select")
    if not isinstance(operation, str):
        raise invalid(f'"operation" must be one of {", ".join(each.name for each in OPERATIONS)}.')
    return Asked(query={**query, "table": route.table, "operation": operation}, answer="result")


_TABLE: Final = {"GET": _find, "POST": _make, "PATCH": _change, "DELETE": _remove}
_ROW: Final = {"GET": _find_one, "PATCH": _change_one, "DELETE": _remove_one}


def _query(route: DataRoute, operation: str, found: Mapping[str, Any]) -> dict[str, Any]:
    query = {"table": route.table, "operation": operation, **found}
    if isinstance(query.get("select"), list):  # select=id,email
        if "columns" in query:
            raise invalid('Give one of the parameters "select" and "columns".')
        query["columns"] = query.pop("select")
    if query.get("all") is False:
        del query["all"]
    return query


def _body(request: Request) -> Any:
    """The body as JSON. Raises 400 INVALID_JSON, 415 UNSUPPORTED_MEDIA_TYPE."""
    kind = next((value for name, value in request.headers if name == "content-type"), None)
    essence = "application/json" if kind is None else kind.partition(";")[0].strip().lower()
    if essence != "application/json" and not essence.endswith("+json"):
        raise HostError("UNSUPPORTED_MEDIA_TYPE", 415, "Send the body as application/json.")
    if not request.body:
        raise HostError("INVALID_JSON", 400, "The request needs a body in JSON.")
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise HostError("INVALID_JSON", 400, f"The body is not valid JSON: {error}.") from None


def _row(request: Request) -> Any:
    data = _body(request)
    if not isinstance(data, dict):
        raise invalid("The body must be an object: the columns to change, with their values.")
    return data


def _no_body(request: Request) -> None:
    if request.body:  # somebody who means to say which rows, and would lose others
        raise invalid("This request takes no body; which rows are meant stands in the URL.")


def _arguments(query: Mapping[str, Any], key: str | None, filters: tuple[Filter, ...]) -> bytes:
    arguments: dict[str, Any] = {"query": query}
    if key is not None:
        arguments["key"] = key
    if filters:
        arguments["filters"] = filters
    return orjson.dumps(arguments)

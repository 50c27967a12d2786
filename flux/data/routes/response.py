"""What a data route answers, from what `db.query` gave. Pure."""

from __future__ import annotations

from typing import NamedTuple

from flux.failure import HostError

from .request import Asked

TOTAL_COUNT = "x-total-count"

NOTHING = b"null"  # in the place of a row


class Response(NamedTuple):
    """`body` is JSON, b"" for none."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def respond(asked: Asked, result: bytes, total: bytes | None = None) -> Response:
    """`result`: the answer's JSON; `total`: that of `Asked.counting`. Raises 404 NOT_FOUND."""
    headers = () if total is None else ((TOTAL_COUNT, total.decode()),)
    match asked.answer:
        case "created":
            return Response(201, headers, result)
        case "row" | "changed row" | "removed row" if result == NOTHING:
            raise HostError("NOT_FOUND", 404, f'There is no such row in "{asked.query["table"]}".')
        case "removed" | "removed row" if not asked.returning:
            return Response(204, headers, b"")
    return Response(200, headers, result)


def sole(rows: bytes) -> bytes:
    """The row of a key, from what an update or delete answered: at most that one."""
    return NOTHING if rows == b"[]" else rows[1:-1]

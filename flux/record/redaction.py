"""What never enters a record: the values of headers that authenticate somebody."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar

REDACTED = "[redacted]"
SECRET_HEADERS = frozenset(("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"))

Pair = TypeVar("Pair", bound=Sequence[str])


def record_headers(headers: Sequence[Pair], also: Collection[str] = ()) -> Sequence[Sequence[str]]:
    """The header pairs as they may be recorded: secret ones, and those named in `also`, without their value.

    Returns `headers` itself when there is nothing to hide, so that the caller can tell.
    """
    for name, _ in headers:
        if (lower := name.lower()) in SECRET_HEADERS or lower in also:
            break
    else:
        return headers
    return [
        (name, REDACTED if (lower := name.lower()) in SECRET_HEADERS or lower in also else value)
        for name, value in headers
    ]

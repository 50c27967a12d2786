"""Pages in keyset order: (time, ID), newest first, with an opaque cursor."""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flux.errors import RequestError

_EPOCH = datetime.fromtimestamp(0, UTC)
_KEY = struct.Struct(">q16s")


class InvalidCursor(RequestError):
    """This page cursor is not valid: use the `next` of the page before it."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """`next` is the cursor of the following page, None on the last."""

    items: list[dict[str, Any]]
    next: str | None


def pack(moment: datetime, id_: UUID) -> str:
    """The cursor that points behind the row with this key."""
    return (
        base64.urlsafe_b64encode(_KEY.pack((moment - _EPOCH) // timedelta(microseconds=1), id_.bytes))
        .decode()
        .rstrip("=")
    )


def unpack(cursor: str) -> tuple[datetime, UUID]:
    """The key of a cursor; RequestError when it is not one of ours."""
    try:
        us, id_ = _KEY.unpack(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return _EPOCH + timedelta(microseconds=us), UUID(bytes=id_)
    except (binascii.Error, struct.error, ValueError, OverflowError):
        raise InvalidCursor from None

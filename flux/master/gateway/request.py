"""What the gateway's steps are given: they take this value and a clock, and return decisions; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Request(NamedTuple):
    """The head of one request. A named tuple: as frozen as a dataclass, at a fifth of the price of making one.

    `path` is raw: still percent-encoded, without query. `headers` finds names in any case when asked in lower case.
    `remote` is the caller's address; `trusted` says whether it lies in `server.trusted_callers`. `content_length` is
    None for a body whose length is not announced (chunked) and 0 when there is no body.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    remote: str
    trusted: bool
    content_length: int | None

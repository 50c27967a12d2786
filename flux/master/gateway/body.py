"""After the body has arrived: it is not compressed, and what says that it is JSON is UTF-8 and not nested too deep.

Whether it is valid JSON is found out where it is parsed anyway, in the isolate. Here only that is refused which would
harm on the way there; both checks run at memory speed for ordinary bodies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import accumulate

from flux.errors import InvalidJson, UnsupportedMediaType

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEP = tuple(1 if byte in b"[{" else -1 for byte in range(256))


def is_json(content_type: str | None) -> bool:
    """Whether a body of this type is taken for JSON; one without a type is."""
    if content_type is None:
        return True
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")


def depth(body: bytes) -> int:
    """How deep arrays and objects are nested in JSON text (strings do not count)."""
    brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def check_body(headers: Mapping[str, str], body: bytes, max_depth: int) -> None:
    """Raises UnsupportedMediaType for a compressed body, InvalidJson for JSON that may not pass on."""
    if headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        raise UnsupportedMediaType("Send the body without Content-Encoding: compressed bodies are not unpacked here.")
    if is_json(headers.get("content-type")):
        check_json(body, max_depth)


def check_json(body: bytes, max_depth: int) -> None:
    """Raises InvalidJson for text that is not UTF-8 or nested deeper than `max_depth`."""
    if not body.isascii():
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidJson(f"The body is not UTF-8: bad byte at position {error.start}.") from None
    # There cannot be more levels than opening brackets; few bodies have so many that a scan is needed.
    if body.count(b"[") + body.count(b"{") > max_depth and depth(body) > max_depth:
        raise InvalidJson(f"The body is nested deeper than {max_depth} levels (limits.json_depth).")

"""Raw request paths to segments: percent-decoding, and refusal of what two readers could read differently."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from flux.errors import RequestError

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOTS = frozenset((".", ".."))


def decode(segment: str) -> str:
    """One segment, percent-decoded. Raises RequestError for a broken escape, a NUL or text that is not UTF-8."""
    if "%" not in segment and segment.isascii():
        return segment
    if _BROKEN_ESCAPE.search(segment):
        raise RequestError("The path holds a '%' that does not start an escape such as %20.")
    try:
        # The parser keeps bytes beyond ASCII as surrogates; they are the bytes of the path as sent.
        text = unquote_to_bytes(segment.encode("utf-8", "surrogateescape")).decode("utf-8")
    except UnicodeDecodeError:
        raise RequestError("The path is not UTF-8 after percent-decoding.") from None
    if "\0" in text:
        raise RequestError("The path holds a NUL character.")
    return text


def segments(path: str) -> list[str]:
    """The decoded segments of a raw path that starts with "/"; a slash at the end gives a last segment "".

    A "." or ".." segment, plain or escaped, is refused: a proxy in front may have understood another path.
    """
    if not path.startswith("/"):
        raise RequestError("The request target must start with '/'.")
    parts = [decode(segment) for segment in path[1:].split("/")]
    if not _DOTS.isdisjoint(parts):
        raise RequestError("The path holds a '.' or '..' segment; send it resolved.")
    return parts

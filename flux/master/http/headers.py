"""Header lists: decoded for functions and the record, rendered for responses."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flux.errors import OutputInvalid
from flux.record.redaction import SECRET_HEADERS

Pairs = list[tuple[str, str]]

# Callers repeat themselves: nearly all header lines of a connection are found here, decoded or rendered. Full, a table
# is emptied; a line too long to be a common one is not kept.
_REMEMBERED = 4096
_LONGEST_REMEMBERED = 256

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# Ours to set: framing and connection belong to this server, not to a function.
_OURS = frozenset(
    (
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
    )
)

_decoded: dict[tuple[bytes, bytes], tuple[str, str]] = {}
_rendered: dict[tuple[str, str], bytes] = {}


def decoded(raw: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """Names in lower case; values with one character per byte, as the Fetch standard has them."""
    known = _decoded
    found = []
    for line in raw:
        pair = known.get(line)
        if pair is None:
            pair = (line[0].decode("latin-1").lower(), line[1].decode("latin-1"))
            if len(line[1]) <= _LONGEST_REMEMBERED and pair[0] not in SECRET_HEADERS:
                if len(known) >= _REMEMBERED:
                    known.clear()
                known[line] = pair
        found.append(pair)
    return found


def rendered(headers: Iterable[tuple[str, str]]) -> bytes:
    """Header lines for a response, without those that this server sets itself.

    Raises OutputInvalid for names or values that could end a line early (response splitting).
    """
    known = _rendered
    lines = []
    for pair in headers:
        line = known.get(pair)
        if line is None:
            line = _line(*pair)
            if len(line) <= _LONGEST_REMEMBERED and pair[0].lower() not in SECRET_HEADERS:
                if len(known) >= _REMEMBERED:
                    known.clear()
                known[pair] = line
        lines.append(line)
    return b"".join(lines)


def _line(name: str, value: str) -> bytes:
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise OutputInvalid(f"The response header {name[:100]!r} has a name or value that HTTP does not allow.")
    return b"" if name.lower() in _OURS else f"{name}: {value.strip()}\r\n".encode("latin-1")

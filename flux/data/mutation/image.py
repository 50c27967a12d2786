"""Images: rows as JSON text, taken apart without touching the values (a number keeps its digits). Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import orjson

_DECODER = json.JSONDecoder()


def changes(old: str | None, new: str | None) -> list[dict[str, Any]]:
    """The columns in which two images differ: {"column", "old", "new"}, values as text of the record.

    A column that an image does not have (it was made later, or is gone since) has no "old" or no "new".
    """
    before, after = fields(old), fields(new)
    return [
        {
            "column": name,
            **({"old": orjson.Fragment(before[name])} if name in before else {}),
            **({"new": orjson.Fragment(after[name])} if name in after else {}),
        }
        for name in (*before, *(name for name in after if name not in before))
        if before.get(name) != after.get(name)
    ]


def fields(image: str | None) -> dict[str, str]:
    """The columns of an image, each value its JSON text as it is stored."""
    if image is None:
        return {}
    return dict(split(image))


def split(image: str) -> Sequence[tuple[str, str]]:
    """The members of a JSON object without touching their values."""
    found, at = [], _skip(image, 1)
    while image[at] != "}":
        name, at = _DECODER.raw_decode(image, at)
        start = _skip(image, _skip(image, at) + 1)
        _, at = _DECODER.raw_decode(image, start)
        found.append((str(name), image[start:at]))
        at = _skip(image, at)
        if image[at] == ",":
            at = _skip(image, at + 1)
    return found


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at

"""The JSON Schema and the parser agree on what a query is."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from flux.data.guard import Guard, gate
from flux.data.query import parse
from flux.data.query.json_schema import json_schema
from flux.failure import HostError

from .documents import broken, documents
from .schema_check import checker

FITS = checker(json_schema())
# What a schema cannot say: it knows no other part of the query.
BEYOND = (
    "has no alias",
    'for which "data" has no value',
    "a name that the answer already has",
    "holds for every row",
    "levels deep",
    "rows; ",
    "must be at most",
    "allowed.",
)


def refusal(document: Any) -> str:
    """Why the parser, or the guard for the limits, refuses it; "" when they do not."""
    try:
        query, values = parse(document)
        gate(query, Guard(complexity=10**12)).check(values)
    except HostError as error:
        return str(error)
    return ""


@settings(deadline=None)
@given(documents())
def test_what_is_valid_fits(document: Any) -> None:
    assert not refusal(document)
    assert FITS(document)


@settings(max_examples=300, deadline=None)
@given(broken())
def test_what_is_wrong_does_not_fit(pair: tuple[Any, Any]) -> None:
    _, document = pair
    why = refusal(document)
    if not why:
        assert FITS(document)
    elif not any(words in why for words in BEYOND):
        assert not FITS(document), why


def test_a_new_document_each_time() -> None:
    json_schema()["$defs"].clear()
    assert json_schema()["$defs"]

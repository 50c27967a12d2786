"""docs/QUERY.md and its JSON Schema: what is generated of them is current, and the examples are queries."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from flux.data.guard import check
from flux.data.query import parse, read
from flux.data.query.format import OPERATIONS, OPERATORS
from flux.data.query.json_schema import json_schema
from flux.data.query.reference import main, page, schema
from flux.data.query.typescript import typescript

from .schema_check import checker

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "QUERY.md").read_text(encoding="utf-8")
SCHEMA = (DOCS / "query.schema.json").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_is_current(tmp_path: Path) -> None:
    assert page(PAGE) == PAGE, "run: python -m flux.data.query.reference docs"
    (tmp_path / "QUERY.md").write_text(PAGE.replace("| `eq` |", "| `equal` |"), encoding="utf-8")
    main(tmp_path)
    assert (tmp_path / "QUERY.md").read_text(encoding="utf-8") == PAGE


def test_the_schema_is_current(tmp_path: Path) -> None:
    assert schema() == SCHEMA, "run: python -m flux.data.query.reference docs"
    (tmp_path / "QUERY.md").write_text(PAGE, encoding="utf-8")
    main(tmp_path)
    assert (tmp_path / "query.schema.json").read_text(encoding="utf-8") == SCHEMA


def test_the_schema_s_file_is_the_schema_and_says_where_it_comes_from() -> None:
    written = json.loads(SCHEMA)
    assert "flux.data.query.reference" in SCHEMA.splitlines()[0]
    assert written.pop("$comment")
    assert written == json_schema()
    assert "](query.schema.json)" in PAGE


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_is_a_query(text: str) -> None:
    document = json.loads(text)
    query, values = parse(document)
    check(query, values)
    assert read(document)[1] == values
    assert isinstance(read(document)[0], str)
    assert checker(json_schema())(document)


def test_every_operation_and_key_has_an_example() -> None:
    documents: list[dict[str, Any]] = [json.loads(text) for text in EXAMPLES]
    assert {one.get("operation", "select") for one in documents} == {operation.name for operation in OPERATIONS}
    shown = {key for one in documents for key in one}
    assert shown >= {key.name for operation in OPERATIONS for key in operation.keys} - {"offset"}


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_an_operator_s_example_is_right(operator: Any) -> None:
    document = {"table": "t", "where": {"a": {operator.name: json.loads(operator.example)}}}
    assert parse(document)
    assert checker(json_schema())(document)


def test_the_types_name_everything() -> None:
    text = typescript()
    assert all(f"readonly {operator.name}?:" in text for operator in OPERATORS)
    for operation in OPERATIONS:
        declared = text.partition(f"interface {operation.name.capitalize()}Query")[2].partition("\n}")[0]
        assert all(f"readonly {key.name}" in declared for key in operation.keys)

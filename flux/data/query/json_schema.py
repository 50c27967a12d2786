"""The JSON Schema (draft 2020-12) of a query, made of the declarations."""

from __future__ import annotations

from typing import Any

from .format import DEFAULT_OPERATION, NESTED, OPERATION, OPERATIONS, Operation
from .forms import FORMS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """A new document each time. It says everything about a query that can be said without knowing the tables, but for
    names that must be found elsewhere in the query (aliases in `having`, columns of `data` in `on_conflict`) and for
    conditions that hold for every row.
    """
    definitions = {name: {"description": f"Must be {form.words}.", **form.schema} for name, form in FORMS.items()}
    definitions["nested"] = _operation(NESTED)
    for operation in OPERATIONS:
        definitions[f"operation_{operation.name}"] = _operation(operation)
    return {
        "$schema": DIALECT,
        "title": "Flux query",
        "type": "object",
        "anyOf": [{"$ref": f"#/$defs/operation_{name}"} for name in OPERATION],
        "$defs": definitions,
    }


def _operation(operation: Operation) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for key in operation.keys:
        form = {"$ref": f"#/$defs/{key.form}"}
        # A key that is null counts as left out.
        properties[key.name] = {**(form if key.required else _or_null(form)), "description": key.meaning}
    required = [key.name for key in operation.required]
    if operation is not NESTED:
        properties["operation"] = {"const": operation.name}
        if operation.name == DEFAULT_OPERATION:
            properties["operation"] = _or_null(properties["operation"])
        else:
            required.append("operation")
    found: dict[str, Any] = {
        "description": f"Answers {operation.answer}.",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    rules: list[dict[str, Any]] = [{"not": _present(*pair)} for pair in operation.exclusive]
    if operation.one_of:
        rules.append({"anyOf": [_filled(name) for name in operation.one_of]})
    if rules:
        found["allOf"] = rules
    return found


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _present(*names: str) -> dict[str, Any]:
    """All of these keys are there, and neither null nor false."""
    return {"required": list(names), "properties": {name: {"not": {"enum": [None, False]}} for name in names}}


def _filled(name: str) -> dict[str, Any]:
    """This key is there and not empty; a flag is set."""
    filled: dict[str, Any] = {"not": {"enum": [None, False, {}, []]}}
    return {"required": [name], "properties": {name: filled}}

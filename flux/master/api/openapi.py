"""The OpenAPI 3.1 document, made of the endpoints' declarations and the types of their JSON."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from flux.master.api.declare import Endpoint, Parameter
from flux.master.api.shapes import ErrorBody

BASE = "/flux/api"
Schema = dict[str, Any]

_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}
_PARAMETER_TYPES: dict[str, Schema] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "minimum": 1},
    "boolean": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
}


def document(endpoints: Iterable[Endpoint]) -> Schema:
    """The whole document, ready for JSON."""
    components: dict[str, Schema] = {}
    schema_of(ErrorBody, components)
    paths: dict[str, Schema] = {}
    for endpoint in endpoints:
        paths.setdefault(BASE + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Flux management API", "version": metadata.version("flux-runtime")},
        "security": [{"operator": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"operator": {"type": "http", "scheme": "bearer"}},
        },
    }


def schema_of(kind: Any, components: dict[str, Schema]) -> Schema:
    """The JSON Schema of a type. TypedDicts go to `components` and are referred to."""
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    generic = _GENERICS.get(get_origin(kind))
    if generic is not None:
        return generic(get_args(kind), components)
    if not is_typeddict(kind):
        raise TypeError(f"no JSON Schema for {kind}")
    if kind.__name__ not in components:
        components[kind.__name__] = {}  # a type that holds itself ends here
        components[kind.__name__] = _object(kind, components)
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _union(arguments: tuple[Any, ...], components: dict[str, Schema]) -> Schema:
    return {"anyOf": [schema_of(each, components) for each in arguments]}


# By a generic type's origin: its arguments to a schema.
_GENERICS: dict[Any, Callable[[tuple[Any, ...], dict[str, Schema]], Schema]] = {
    Annotated: lambda of, components: {**schema_of(of[0], components), "description": of[1]},
    NotRequired: lambda of, components: schema_of(of[0], components),
    Literal: lambda of, components: {"enum": list(of)},
    Union: _union,
    types.UnionType: _union,
    list: lambda of, components: {"type": "array", "items": schema_of(of[0], components)},
    dict: lambda of, components: {"type": "object", "additionalProperties": schema_of(of[1], components)},
}


def _object(kind: Any, components: dict[str, Schema]) -> Schema:
    hints = get_type_hints(kind, include_extras=True)
    return {
        "type": "object",
        "properties": {name: schema_of(hint, components) for name, hint in hints.items()},
        "required": [name for name in hints if name in kind.__required_keys__],
    }


def _operation(endpoint: Endpoint, components: dict[str, Schema]) -> Schema:
    content = {} if endpoint.result is None else {"schema": schema_of(endpoint.result, components)}
    operation: Schema = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.about,
        "parameters": [*_path_parameters(endpoint), *map(_query_parameter, endpoint.query)],
        "responses": {
            str(endpoint.status): {"description": "Done.", "content": {endpoint.content_type: content}},
            "default": {
                "description": "Any error.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}},
            },
        },
    }
    if endpoint.body is not None:
        body = {"schema": schema_of(endpoint.body, components)}
        operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    return operation


def _path_parameters(endpoint: Endpoint) -> list[Schema]:
    names = [part[1:-1] for part in endpoint.path.split("/") if part.startswith("{")]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": endpoint.path_about,
            "schema": {"type": "string"},
        }
        for name in names
    ]


def _query_parameter(parameter: Parameter) -> Schema:
    schema = dict(_PARAMETER_TYPES[parameter.type])
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    if parameter.maximum is not None:
        schema["maximum"] = parameter.maximum
    return {"name": parameter.name, "in": "query", "description": parameter.about, "schema": schema}

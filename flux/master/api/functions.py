"""What is deployed."""

from __future__ import annotations

from flux.master.api.declare import Call, Endpoint
from flux.master.api.shapes import FunctionList
from flux.master.http.mounts import ApiResponse, json_response

SHOWN = ("name", "version", "source", "routes", "auth", "runtime", "limits", "max_attempts", "asynchronous")


async def list_functions(call: Call) -> ApiResponse:
    functions = sorted(call.services.manifest().functions.items())
    items = [{key: value for key, value in spec.to_json().items() if key in SHOWN} for _, spec in functions]
    return json_response({"items": items})


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/functions",
        about="Functions that are live, by name.",
        handler=list_functions,
        result=FunctionList,
    ),
)

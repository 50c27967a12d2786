"""Call a function by name, without its route and its authentication."""

from __future__ import annotations

from flux.errors import NotFound
from flux.master.api.declare import Call, Endpoint
from flux.master.http.mounts import ApiResponse
from flux.record.execution import uuid_bytes


async def invoke_function(call: Call) -> ApiResponse:
    name = call.path["function"]
    spec = call.services.manifest().functions.get(name)
    if spec is None:
        raise NotFound(f"There is no function {name}.")
    request_id = uuid_bytes(call.request.request_id)
    assert request_id is not None
    result = await call.services.invoke(spec, request_id, call.request.body)
    content_type = next((value for key, value in result.headers if key.lower() == "content-type"), None)
    others = tuple((key, value) for key, value in result.headers if key.lower() != "content-type")
    return ApiResponse(status=result.status, body=result.body, content_type=content_type, headers=others)


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/invoke/{function}",
        about="Runs a function with the body as its input and answers what it answers, `x-request-id` being the "
        "execution's.",
        handler=invoke_function,
        result=None,
        path_about="Name of the function.",
    ),
)

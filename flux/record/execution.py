"""From the head of an execution and its journal to the row that is stored, whether it ended or was cut off."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

import orjson

from .head import Head
from .javascript import dumps
from .journal import Journal, quote
from .row import ExecutionRow, encode


class Ending(NamedTuple):
    """How an execution ended. `error` and `output` are JSON text; times are µs since the start."""

    status: int
    error: bytes | None
    output: bytes | None
    function_start_us: int
    end_us: int


def uuid_bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text.replace("-", ""))


def uuid_text(value: bytes) -> str:
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def recorded_body(body: bytes | None, cap: int) -> bytes | None:
    """A request body as JSON text: itself when it is JSON, else {"$text": ...}, else {"$base64": ...}."""
    if not body:
        return None
    if len(body) > cap:
        return b'{"$truncated":%d}' % len(body)
    try:
        orjson.loads(body)
        if not body.lstrip().startswith(b'{"$'):  # a body that looks like one of our wrappings is wrapped itself
            return body
    except orjson.JSONDecodeError:
        pass
    try:
        return orjson.dumps({"$text": body.decode()})
    except UnicodeDecodeError:
        return orjson.dumps({"$base64": base64.b64encode(body).decode()})


def original_body(recorded: bytes | None) -> bytes | None:
    """The inverse of `recorded_body`.

    Raises ValueError when the body was larger than the record's cap, so that nothing but its size is known.
    """
    if recorded is None or not recorded.startswith(b'{"$'):
        return recorded
    wrapped = orjson.loads(recorded)
    if "$truncated" in wrapped:
        raise ValueError(f"the body of {wrapped['$truncated']} bytes was too large to be recorded")
    return str(wrapped["$text"]).encode() if "$text" in wrapped else base64.b64decode(wrapped["$base64"])


def row(request_id: bytes, head: Head, body: bytes | None, journal: Journal, ending: Ending) -> bytes:
    """The execution's row, encoded. `body` is what `recorded_body` gave."""
    entry_kind = "queue" if head.kind == "job" else "gateway"
    function_us = max(0, ending.end_us - ending.function_start_us)
    ok = "ok" if ending.status < 500 else "error"
    roots = (
        f'{{"id":1,"parent":0,"seq":1,"kind":"{entry_kind}","name":"{entry_kind}","op":"{entry_kind}","start_us":0,'
        f'"duration_us":{head.entry_us},"status":"ok","input":null,"output":null,"settled":0,"attributes":'.encode()
        + head.decisions
        + b'},{"id":2,"parent":0,"seq":2,"kind":"function","op":"function","name":'
        + quote(head.function)
        + f',"start_us":{ending.function_start_us},"duration_us":{function_us},"status":"{ok}","input":null,'
        f'"output":null,"settled":0,"attributes":{{}}}}'.encode()
    )
    return encode(
        ExecutionRow(
            request_id=request_id,
            parent_request_id=uuid_bytes(head.parent),
            replay_of=uuid_bytes(head.replay_of),
            kind=head.kind,
            tenant=head.tenant,
            method=head.method,
            path=head.path,
            route=head.route,
            function=head.function,
            code_version=head.version,
            status=ending.status,
            error=ending.error,
            started_us=head.started_us,
            duration_us=ending.end_us,
            seed=head.seed,
            request=head.request,
            input=body,
            output=ending.output,
            spans=journal.spans_json(roots),
            logs=journal.logs_json(),
        )
    )


def error_json(code: str, message: str, **more: Any) -> bytes:
    """The error column: {"code", "message"} and what else is known, such as "source" and "stack"."""
    return dumps({"code": code, "message": message, **{key: value for key, value in more.items() if value}})

"""The three ways to write a function, and how a request becomes its input."""

from __future__ import annotations

from typing import Any

import pytest

from flux.workers.isolate.isolate import ModuleFailed

from .conftest import Open
from .harness import Service, function, module

SCHEMA = """
const schema = (validate) => ({ "~standard": { version: 1, vendor: "test", validate } });
const names = schema((value) => typeof value.name === "string"
  ? { value: { name: value.name.trim() } }
  : { issues: [
      { message: "a name is needed", path: ["name"] },
      { message: "odd", path: [{ key: "items" }, 0, "id"] },
    ] });
"""


async def test_a_plain_function_gets_the_json_body(opened: Open) -> None:
    service = await opened(function("return { got: input }"))
    assert (await service.run({"a": [1, None]})).value == {"got": {"a": [1, None]}}


async def test_a_defined_function_gets_input_and_ctx(opened: Open) -> None:
    service = await opened(module("{ handler({ input, ctx }) { return [input.a, ctx.requestId, ctx.functionName] } }"))
    assert (await service.run({"a": 1})).value == [1, "request-1", "f"]


async def test_a_fetch_style_function_gets_a_request(opened: Open) -> None:
    code = """{ async fetch(request, ctx) {
        const text = await request.text();
        const said = [request.method, new URL(request.url).search, text + request.headers.get("x-a")];
        return new Response(said.join(" "), { status: 201, headers: { "x-b": ctx.requestId } });
    } }"""
    service = await opened(module(code))
    outcome = await service.run(raw="grüße".encode(), request={"headers": [["x-a", "1"]]})
    assert outcome.end.kind == "response"  # type: ignore[union-attr]  # a Done, as .value asserts
    assert outcome.value["status"] == 201
    assert outcome.value["body"] == "POST ?q=1 grüße1"
    assert ["x-b", "request-1"] in outcome.value["headers"]


async def test_bytes_that_are_no_text_go_both_ways_unharmed(opened: Open) -> None:
    service = await opened(module("{ async fetch(r) { return new Response((await r.bytes()).reverse()) } }"))
    assert (await service.run(raw=b"\xff\x00\xfe")).value["body_base64"] == "/gD/"


@pytest.mark.parametrize(
    ("raw", "request_", "expected"),
    [
        (None, {"query": {"a": "1"}, "params": {"b": "2"}}, {"a": "1", "b": "2"}),
        (b"", {"query": {"a": "1"}}, {"a": "1"}),
        (b'{"a": 1, "b": 1}', {"query": {"a": "q", "c": "q"}, "params": {"b": "p"}}, {"a": 1, "b": "p", "c": "q"}),
        (b"[1]", {"query": {"a": "1"}}, [1]),
        (b"null", {}, None),
        (b'{"__proto__": {"x": 1}}', {}, {"own": True}),
    ],
)
async def test_body_query_and_parameters_are_merged(opened: Open, raw: Any, request_: Any, expected: Any) -> None:
    service = await opened(
        function('return input !== null && Object.hasOwn(input, "__proto__") ? { own: !("x" in input) } : input')
    )
    assert (await service.run(raw=raw, request=request_)).value == expected


@pytest.mark.parametrize(
    ("raw", "headers", "code", "status"),
    [
        (b"{nope", [], "INVALID_JSON", 400),
        (b'"\xff"', [], "INVALID_JSON", 400),
        (b"a=1", [["Content-Type", "application/x-www-form-urlencoded"]], "UNSUPPORTED_MEDIA_TYPE", 415),
    ],
)
async def test_a_body_that_is_no_json_is_refused(
    opened: Open, raw: bytes, headers: Any, code: str, status: int
) -> None:
    service = await opened(function("return 1"))
    failure = (await service.run(raw=raw, request={"headers": headers})).failure
    assert (failure["code"], failure["status"]) == (code, status)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "application/problem+json"])
async def test_json_by_any_name_is_taken(opened: Open, kind: str) -> None:
    service = await opened(function("return input"))
    assert (await service.run({"a": 1}, request={"headers": [["content-type", kind]]})).value == {"a": 1}


async def test_the_input_schema_converts(opened: Open) -> None:
    service = await opened(SCHEMA + module("{ input: names, handler: ({ input }) => input }"))
    assert (await service.run({"name": " x ", "more": 1})).value == {"name": "x"}


async def test_violations_name_path_message_and_code(opened: Open) -> None:
    service = await opened(SCHEMA + module("{ input: names, handler: () => { throw new Error('called') } }"))
    failure = (await service.run({})).failure
    assert (failure["code"], failure["status"]) == ("VALIDATION_FAILED", 422)
    assert failure["violations"] == [
        {"path": "name", "message": "a name is needed", "code": "invalid"},
        {"path": "items[0].id", "message": "odd", "code": "invalid"},
    ]


async def test_a_result_that_breaks_the_output_schema_is_our_fault(opened: Open) -> None:
    service = await opened(SCHEMA + module("{ output: names, handler: () => ({}) }"))
    failure = (await service.run({})).failure
    assert (failure["code"], failure["status"]) == ("OUTPUT_INVALID", 500)


async def test_an_asynchronous_schema_is_awaited(opened: Open) -> None:
    code = SCHEMA + module(
        "{ input: schema(async (value) => ({ value: { ...value, seen: true } })), handler: (c) => c.input }"
    )
    service = await opened(code)
    assert (await service.run({"a": 1})).value == {"a": 1, "seen": True}


@pytest.mark.parametrize(
    ("result", "code"),
    [("10n", "OUTPUT_INVALID"), ("(() => { const a = []; a.push(a); return a })()", "OUTPUT_INVALID")],
)
async def test_a_result_that_json_cannot_hold(opened: Open, result: str, code: str) -> None:
    service = await opened(function(f"return {result}"))
    assert (await service.run()).failure["code"] == code


async def test_nothing_is_null(opened: Open) -> None:
    service = await opened(function(""))
    assert (await service.run()).value is None


@pytest.mark.parametrize(
    ("bundle", "code"),
    [
        ("throw new TypeError('at load')", "FUNCTION_ERROR"),
        ("syntax error", "FUNCTION_ERROR"),
        ("globalThis.__flux_module = {}", "NO_HANDLER"),
        ("", "NO_HANDLER"),
        (module("{ input: 1, handler() {} }"), "NO_HANDLER"),
        ("fetch('http://x')", "NO_HANDLER"),
    ],
)
async def test_a_module_that_cannot_serve_says_so(bundle: str, code: str) -> None:
    service = Service(bundle)
    try:
        with pytest.raises(ModuleFailed) as caught:
            await service.isolate.ready()
        assert f'"code":"{code}"'.encode() in caught.value.payload
    finally:
        service.isolate.close()


async def test_the_module_global_is_gone_before_the_first_request(opened: Open) -> None:
    service = await opened(function("return typeof __flux_module"))
    assert (await service.run()).value == "undefined"

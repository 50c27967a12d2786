"""The web API against a corpus: what each program gives was taken from another implementation of the standards (Deno),
and from their text where that one is behind (`file:///C|/`, `^` in paths, `%22` in multipart names)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from flux.workers.isolate.protocol import Call, Done

from .conftest import Open
from .harness import HostFailure, function

CORPUS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("web_api.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["name"])
async def test_the_corpus(opened: Open, case: dict[str, Any]) -> None:
    service = await opened(function(case["code"]))
    outcome = await service.run()
    assert isinstance(outcome.end, Done), outcome.end
    assert json.loads(outcome.end.payload) == case["expected"]
    assert outcome.of(Call) == [], "nothing in here needs the host"


CONSOLE = [
    ("console.log('a', 1, null, undefined, true, 10n, -0, Symbol('s'))", "a 1 null undefined true 10n -0 Symbol(s)"),
    ("console.log('%s is %d years, %i, %f, %j, %%, %o %c!', 'x', '4.5', 4.9, '1.5', {a: 1}, [1], 'css', 'more')",
     'x is 4.5 years, 4, 1.5, {"a":1}, %, [ 1 ] ! more'),
    ("console.log('%s %s', 1)", "1 %s"),
    ("console.log({ a: { b: { c: { d: 1 } } } })", "{ a: { b: { c: [Object] } } }"),
    ("console.log([1, , 'x', [[]]], new Map([[{ a: 1 }, new Set([1])]]))",
     '[ 1, <empty>, "x", [ [] ] ] Map(1) { { a: 1 } => Set(1) { 1 } }'),
    ("const a = []; a.push(a); console.log(a)", "[ [Circular] ]"),
    ("console.log({ get a() { throw 1 }, set b(x) {}, ['c d']: () => {}, e: class Q {}, f() {} })",
     '{\n  a: [Getter],\n  b: [Setter],\n  "c d": [Function: c d],\n  e: [class: Q],\n  f: [Function: f]\n}'),
    ("console.log(new Date(0), /x/g, new Uint8Array([1, 2]), Promise.resolve(), Object.create(null))",
     "1970-01-01T00:00:00.000Z /x/g Uint8Array(2) [ 1, 2 ] Promise {} [Object: null prototype] {}"),
    ("console.log(new (class Point { constructor() { this.x = 1 } })())", "Point { x: 1 }"),
    ("console.count(); console.count(); console.count('x')", "default: 1"),
    ("console.assert(1); console.assert(0, 'told')", "Assertion failed told"),
    ("console.log(new Proxy({}, { ownKeys() { throw 1 } }))", "(a value that cannot be shown)"),
    ("console.log()", ""),
    ("console.log('x'.repeat(20000))", "x" * (16 << 10) + "…"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "expected"), CONSOLE)
async def test_console(opened: Open, code: str, expected: str) -> None:
    service = await opened(function(code))
    assert (await service.run()).messages[0] == expected


async def test_an_error_is_logged_with_its_stack_and_without_ours(opened: Open) -> None:
    service = await opened(function("console.error(new TypeError('bad', { cause: 'why' }))") + "\n//# sourceURL=flux:f")
    (message,) = (await service.run()).messages
    assert message.startswith("TypeError: bad\n    at ")
    assert "flux:f:1:" in message
    assert "<flux-runtime>" not in message
    assert '[cause]: "why"' in message


KEY = {"type": "secret", "extractable": True, "usages": ["sign"], "algorithm": {"name": "HMAC"}, "data": "a2V5"}


async def test_subtle_asks_the_host(opened: Open) -> None:
    asked: list[tuple[str, Any]] = []

    def host(call: Call) -> Any:
        asked.append((call.op, orjson.loads(call.args)))
        return {"key": KEY} if call.op == "crypto.importKey" else {"data": "c2ln"}

    code = """
        const algorithm = { name: "HMAC", hash: "SHA-256" };
        const key = await crypto.subtle.importKey("raw", new TextEncoder().encode("key"), algorithm, true, ["sign"]);
        const signature = await crypto.subtle.sign("HMAC", key, new Uint8Array([1]));
        const refused = await crypto.subtle.verify("HMAC", key, signature, new Uint8Array([1])).catch((e) => e.name);
        const text = new TextDecoder().decode(signature);
        return [key instanceof CryptoKey, key.type, key.usages, key.algorithm.name, text, refused]"""
    service = await opened(function(code), host)
    assert (await service.run()).value == [True, "secret", ["sign"], "HMAC", "sig", "InvalidAccessError"]
    assert asked == [
        (
            "crypto.importKey",
            {
                "format": "raw",
                "key_data": "a2V5",
                "algorithm": {"name": "HMAC", "hash": {"name": "SHA-256"}},
                "extractable": True,
                "usages": ["sign"],
            },
        ),
        ("crypto.sign", {"algorithm": {"name": "HMAC"}, "key": KEY, "data": "AQ=="}),
    ]


async def test_errors_of_subtle_are_those_of_the_standard(opened: Open) -> None:
    code = "return crypto.subtle.digest('MD5', new Uint8Array()).catch((e) => [e.name, e instanceof DOMException])"
    service = await opened(function(code), lambda call: HostFailure("NOT_SUPPORTED_ERROR"))
    assert (await service.run()).value == ["NotSupportedError", True]


@pytest.mark.parametrize(
    "name",
    ["AbortController", "Blob", "Headers", "ReadableStream", "Request", "TextDecoder", "URL", "URLPattern", "fetch"],
)
async def test_what_stands_on_the_global_object_can_be_replaced_and_deleted(opened: Open, name: str) -> None:
    code = f"""
        const before = typeof {name};
        globalThis.{name} = 1;
        const replaced = {name};
        delete globalThis.{name};
        return [before, replaced, typeof {name}, Object.keys(globalThis).includes("{name}")]"""
    service = await opened(function(code))
    assert (await service.run()).value == ["function", 1, "undefined", False]

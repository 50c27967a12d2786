"""What `ctx` asks of the host, and how answers and errors come back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from flux.workers.isolate.protocol import Call, CallCancelled, Logged, Redacted, SpanClosed, SpanOpened, Unhandled

from .conftest import Open
from .harness import NEVER, HostFailure, function


def args(call: Call) -> Any:
    return orjson.loads(call.args)


@pytest.mark.parametrize(
    ("code", "op", "expected"),
    [
        ("ctx.db.users.find()", "db.find", {"table": "users"}),
        (
            "ctx.db.users.find({ a: 1 }, { limit: 2, order_by: 'a' })",
            "db.find",
            {"table": "users", "where": {"a": 1}, "limit": 2, "order_by": "a"},
        ),
        ("ctx.db.users.find(undefined, { limit: undefined })", "db.find", {"table": "users"}),
        (
            "ctx.db.users.insert({ a: undefined, at: new Date(0) })",
            "db.insert",
            {"table": "users", "data": {"at": "1970-01-01T00:00:00.000Z"}},
        ),
        ("ctx.db.users.findOne({ a: null })", "db.findOne", {"table": "users", "where": {"a": None}}),
        ("ctx.db.users.findById(7)", "db.findById", {"table": "users", "id": 7}),
        ("ctx.db.users.insert({ a: 1 })", "db.insert", {"table": "users", "data": {"a": 1}}),
        ("ctx.db.users.insertMany([{}])", "db.insertMany", {"table": "users", "data": [{}]}),
        (
            "ctx.db.users.update({ a: 1 }, { b: 2 })",
            "db.update",
            {"table": "users", "where": {"a": 1}, "data": {"b": 2}},
        ),
        (
            "ctx.db.users.upsert({ a: 1 }, { on_conflict: ['a'] })",
            "db.upsert",
            {"table": "users", "data": {"a": 1}, "on_conflict": ["a"]},
        ),
        ("ctx.db.users.delete({ a: 1 })", "db.delete", {"table": "users", "where": {"a": 1}}),
        ("ctx.db.users.count()", "db.count", {"table": "users"}),
        ("ctx.db.sql('select $1', [1])", "db.sql", {"text": "select $1", "params": [1]}),
        ("ctx.queue.push('f', { a: 1 })", "queue.push", {"function": "f", "payload": {"a": 1}}),
        ("ctx.queue.push('f', 1, { delay_ms: 5 })", "queue.push", {"delay_ms": 5, "function": "f", "payload": 1}),
        ("ctx.secrets.get('KEY')", "secrets.get", {"name": "KEY"}),
        ("ctx.function.invoke('g', [1])", "invoke", {"function": "g", "input": [1]}),
        ("ctx.sleep(15)", "sleep", {"ms": 15}),
        (
            "ctx.fetch('https://a.test/b', { method: 'post', body: 'x', headers: { A: '1' } })",
            "fetch",
            {
                "url": "https://a.test/b",
                "method": "POST",
                "headers": [["a", "1"], ["content-type", "text/plain;charset=UTF-8"]],
                "redirect": "follow",
                "body": "x",
            },
        ),
    ],
)
async def test_each_call_says_what_it_wants(opened: Open, code: str, op: str, expected: Any) -> None:
    service = await opened(function(f"await {code}.catch(() => {{}})"), lambda call: HostFailure("X"))
    (call,) = (await service.run()).of(Call)
    assert (call.op, args(call), call.id, call.parent) == (op, expected, 1, 0)


async def test_answers_come_back(opened: Open) -> None:
    service = await opened(function("return ctx.db.users.find()"), lambda call: [{"id": 1}])
    assert (await service.run()).value == [{"id": 1}]


async def test_a_host_error_can_be_caught(opened: Open) -> None:
    service = await opened(
        function("try { await ctx.sleep(1) } catch (e) { return [e instanceof Error, e.code, e.status, e.message] }"),
        lambda call: HostFailure("BUSY", 503, "try later"),
    )
    assert (await service.run()).value == [True, "BUSY", 503, "try later"]


async def test_a_host_error_that_nobody_catches_names_the_line_that_made_the_call(opened: Open) -> None:
    bundle = function("\nconst load = async () => {\n  return await ctx.sleep(1);\n};\nawait load();\n")
    service = await opened(bundle + "\n//# sourceURL=flux:f", lambda call: HostFailure("BUSY", 503))
    failure = (await service.run()).failure
    assert (failure["code"], failure["status"]) == ("BUSY", 503)
    assert "at async load (flux:f:3:" in failure["stack"]
    assert "flux-runtime" not in failure["stack"]


async def test_an_error_of_ones_own(opened: Open) -> None:
    service = await opened(function("throw ctx.error(409, 'TAKEN', 'already there')"))
    failure = (await service.run()).failure
    assert (failure["code"], failure["status"], failure["message"]) == ("TAKEN", 409, "already there")


async def test_a_transaction_is_committed(opened: Open) -> None:
    code = """return ctx.db.transaction(async (tx) => {
        await tx.users.insert({ a: 1 });
        await tx.queue.push("f");
        return (await tx.sql("select 1")).length;
    })"""
    service = await opened(function(code), lambda call: {"tx": 4} if call.op == "db.begin" else [1, 2])
    outcome = await service.run()
    assert outcome.value == 2
    calls = outcome.of(Call)
    assert [call.op for call in calls] == ["db.begin", "db.insert", "queue.push", "db.sql", "db.commit"]
    assert all(args(call)["tx"] == 4 for call in calls[1:])


@pytest.mark.parametrize(
    "call",
    [
        "find({ mine: 1 }, { where: {} })",
        "find(undefined, { where: {} })",
        "findById(1, { id: 2 })",
        "update({ id: 1 }, { a: 1 }, { data: { b: 1 } })",
        "delete({ id: 1 }, { table: 'others' })",
        "update({ id: 1 }, { a: 1 }, { where: undefined })",
    ],
)
async def test_options_are_no_second_arguments(opened: Open, call: str) -> None:
    """They may come from a caller, who must not choose the table or the rows with them."""
    service = await opened(function(f"return ctx.db.users.{call}"))
    outcome = await service.run()
    assert (outcome.failure["code"], outcome.failure["status"]) == ("INVALID_ARGUMENT", 400)
    assert outcome.of(Call) == []


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("users.find({ id: undefined })", '"where.id" is undefined'),
        ("users.delete({ tenant: 'a', id: { in: [1, undefined] } })", '"where.id.in[1]" is undefined'),
        ("users.update({ x: NaN }, { a: 1 })", '"where.x" is NaN, which JSON cannot say'),
        ("users.insert({ at: new Date('never'), b: 1 })", '"data.at" is an invalid Date'),
        ("users.insertMany([{ a: 1 }, { a: -1 / 0 }])", '"data[1].a" is -Infinity'),
        ("users.find(() => true)", '"where" is a function'),
        ("users.find({}, { limit: NaN })", '"limit" is NaN'),
        (
            "query({ table: 'users', select: { posts: { where: { a: undefined } } } })",
            '"query.select.posts.where.a" is',
        ),
    ],
)
async def test_what_json_has_no_word_for_is_refused(opened: Open, call: str, told: str) -> None:
    """Left out, or as null, it would mean other rows, or be stored."""
    service = await opened(function(f"return ctx.db.{call}"))
    outcome = await service.run()
    assert (outcome.failure["code"], outcome.failure["status"]) == ("INVALID_VALUE", 400)
    assert told in outcome.failure["message"]
    assert outcome.of(Call) == []


async def test_values_that_say_themselves_what_they_are_in_json(opened: Open) -> None:
    price = "{ toJSON: () => '1.50', digits: () => 2 }"
    service = await opened(function(f"return ctx.db.users.insert({{ price: {price} }})"), lambda call: {})
    outcome = await service.run()
    assert args(outcome.of(Call)[0])["data"] == {"price": "1.50"}


async def test_documents_that_are_stored_may_have_the_keys_of_queries(opened: Open) -> None:
    row = "{ change: { before: { x: 1 }, after: { x: undefined }, where: { y: undefined } } }"
    code = f"await ctx.db.log.insert({row}); return ctx.db.query({{ table: 'log', operation: 'insert', data: {row} }})"
    service = await opened(function(code), lambda call: {})
    outcome = await service.run()
    calls = [args(call) for call in outcome.of(Call)]
    assert [calls[0]["data"], calls[1]["query"]["data"]] == [
        {"change": {"before": {"x": 1}, "after": {}, "where": {}}}
    ] * 2


async def test_a_transaction_without_a_function_is_not_begun(opened: Open) -> None:
    service = await opened(function("return ctx.db.transaction()"))
    outcome = await service.run()
    assert "takes a function" in outcome.failure["message"]
    assert outcome.of(Call) == []


async def test_a_transaction_that_throws_is_rolled_back(opened: Open) -> None:
    code = "return ctx.db.transaction(async (tx) => { await tx.users.insert({}); throw ctx.error(400, 'NO') })"
    service = await opened(function(code), lambda call: {"tx": 1})
    outcome = await service.run()
    assert outcome.failure["code"] == "NO"
    assert [call.op for call in outcome.of(Call)] == ["db.begin", "db.insert", "db.rollback"]


async def test_spans_are_parents(opened: Open) -> None:
    code = """
        await ctx.sleep(1);
        await ctx.trace.span("outer", async (outer) => {
            await outer.sleep(2);
            await outer.trace.span("inner", (inner) => inner.sleep(3));
            await ctx.sleep(4);
        });
        await ctx.sleep(5);
    """
    service = await opened(function(code))
    outcome = await service.run()
    assert [(call.id, call.parent) for call in outcome.of(Call)] == [(1, 0), (3, 2), (5, 4), (6, 2), (7, 0)]
    assert [(span.id, span.parent, span.name) for span in outcome.of(SpanOpened)] == [(2, 0, "outer"), (4, 2, "inner")]
    assert [(span.id, span.ok) for span in outcome.of(SpanClosed)] == [(4, True), (2, True)]


async def test_a_span_whose_work_throws_is_closed_as_failed(opened: Open) -> None:
    service = await opened(function("await ctx.trace.span('s', () => { throw new Error('x') }).catch(() => {})"))
    assert [span.ok for span in (await service.run()).of(SpanClosed)] == [False]


async def test_overlapping_spans_keep_their_own_calls(opened: Open) -> None:
    code = """await Promise.all(["a", "b"].map((name) => ctx.trace.span(name, async (span) => {
        await span.sleep(1);
        await span.sleep(2);
    })))"""
    service = await opened(function(code))
    outcome = await service.run()
    assert sorted(call.parent for call in outcome.of(Call)) == [1, 1, 3, 3]


async def test_logs(opened: Open) -> None:
    code = 'ctx.log.info("a", { n: 1 }); ctx.log.error("b"); console.warn("c %s", 1, { d: [1, "x"] })'
    service = await opened(function(code))
    logged = [(event.level, orjson.loads(event.payload)) for event in (await service.run()).of(Logged)]
    assert logged == [
        ("info", {"message": "a", "fields": {"n": 1}}),
        ("error", {"message": "b"}),
        ("warn", {"message": 'c 1 { d: [ 1, "x" ] }'}),
    ]


async def test_a_log_without_end_is_cut_off(opened: Open) -> None:
    service = await opened(function("for (let i = 0; i < 5000; i++) console.log('x'.repeat(1000))"))
    messages = (await service.run()).messages
    assert len(messages) < 1100
    assert "cut off" in messages[-1]


async def test_redacted_values_are_told_before_they_can_turn_up(opened: Open) -> None:
    service = await opened(function("const s = ctx.redact('secret'); await ctx.db.t.insert({ s }); return s"))
    outcome = await service.run()
    assert outcome.value == "secret"
    assert [type(event) for event in outcome.events[:2]] == [Redacted, Call]
    assert outcome.events[0].payload == b'"secret"'  # type: ignore[union-attr]  # a Redacted, as asserted


async def test_what_ctx_knows_of_the_request(opened: Open) -> None:
    code = "return [ctx.tenant, ctx.user, ctx.replay, ctx.env, ctx.headers.get('X-A'), Object.isFrozen(ctx.env)]"
    service = await opened(function(code))
    outcome = await service.run(
        request={"headers": [["x-a", "1"]]},
        context={"tenant": "acme", "user": {"id": "u"}, "replay": True, "env": {"MODE": "x"}},
    )
    assert outcome.value == ["acme", {"id": "u"}, True, {"MODE": "x"}, "1", True]


async def test_parts_of_ctx_work_when_taken_apart(opened: Open) -> None:
    code = (
        "const { sleep, uuid, log, db } = ctx; await sleep(1); log.info('x'); await db.t.find(); return uuid().length"
    )
    service = await opened(function(code))
    assert (await service.run()).value == 36


async def test_ctx_can_be_awaited_and_written_as_json(opened: Open) -> None:
    service = await opened(function("await ctx.db; await ctx; return JSON.stringify({ db: ctx.db })"))
    assert (await service.run()).value == '{"db":{}}'


async def test_work_that_nobody_awaits_goes_on_after_the_result(opened: Open) -> None:
    calls: list[Call] = []

    def host(call: Call) -> Any:
        calls.append(call)
        return NEVER

    service = await opened(function("ctx.sleep(1).then(() => ctx.sleep(2)); return 1"), host)
    number = 1
    end = service.begin()
    assert (await end).value == 1
    assert [args(call)["ms"] for call in calls] == [1]
    assert service.isolate.in_flight == 0, "the harness abandons what is done"
    service.answer(calls[0], None)  # dropped
    assert (await service.run()).value == 1
    assert [call.execution for call in calls] == [number, 2]


async def test_timers_are_host_calls(opened: Open) -> None:
    code = """return new Promise((resolve) => {
        const never = setTimeout(() => resolve("never"), 5000);
        let ticks = 0;
        const interval = setInterval((step) => {
            ticks += step;
            if (ticks < 4) return;
            clearInterval(interval);
            clearTimeout(never);
            setTimeout(resolve, 10, ticks);
        }, 20, 2);
    })"""
    service = await opened(function(code), lambda call: NEVER if b"5000" in call.args else None)
    outcome = await service.run()
    assert outcome.value == 4
    assert [args(call)["ms"] for call in outcome.of(Call)] == [5000, 20, 20, 20, 10]
    assert [event.id for event in outcome.of(CallCancelled)] == [4, 1]


async def test_what_a_timer_throws_is_reported(opened: Open) -> None:
    service = await opened(function("setTimeout(() => { throw new Error('late') }, 1); await ctx.sleep(2)"))
    (report,) = (await service.run()).of(Unhandled)
    assert orjson.loads(report.payload)["message"] == "late"


async def test_a_fetch_can_be_aborted(opened: Open) -> None:
    code = """const controller = new AbortController();
        const answer = fetch("https://a.test/", { signal: controller.signal });
        await ctx.sleep(1);
        controller.abort();
        return answer.catch((error) => error.name)"""
    service = await opened(function(code), lambda call: NEVER if call.op == "fetch" else None)
    outcome = await service.run()
    assert outcome.value == "AbortError"
    assert service.cancelled == [1]


async def test_a_fetch_that_takes_too_long(opened: Open) -> None:
    code = "return fetch('https://a.test/', { signal: AbortSignal.timeout(5) }).catch((error) => error.name)"
    service = await opened(function(code), lambda call: NEVER if call.op == "fetch" else None)
    assert (await service.run()).value == "TimeoutError"


async def test_a_response_from_the_host(opened: Open) -> None:
    answer = {
        "status": 404,
        "status_text": "Not Found",
        "url": "https://b.test/",
        "headers": [["content-type", "application/json"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]],
        "body": '{"a":1}',
    }
    code = """const r = await fetch("https://a.test/");
        const json = await r.json();
        return [r.status, r.statusText, r.ok, r.url, r.redirected, r.headers.getSetCookie(), json, r.bodyUsed]"""
    service = await opened(function(code), lambda call: answer)
    assert (await service.run()).value == [
        404, "Not Found", False, "https://b.test/", True, ["a=1", "b=2"], {"a": 1}, True,
    ]  # fmt: skip


async def test_calls_at_the_top_level_are_refused(opened: Open) -> None:
    bundle = "let told; fetch('https://a.test/').catch((error) => { told = error.code });" + function("return told")
    service = await opened(bundle)
    assert (await service.run()).value == "NO_EXECUTION"


@pytest.mark.parametrize("count", [1, 2])
async def test_rejections_that_nobody_handles_are_told_before_the_outcome(opened: Open, count: int) -> None:
    code = """
        const fail = async (text) => { throw new Error(text) };
        for (let i = 0; i < input.count; i++) fail("floating " + i);
        fail("handled").catch(() => {});
        await fail("awaited").catch(() => {});
        return 1"""
    service = await opened(function(code))
    outcome = await service.run({"count": count})
    assert [type(event) for event in outcome.events] == [Unhandled] * count + [type(outcome.end)]
    assert [orjson.loads(e.payload)["message"] for e in outcome.of(Unhandled)] == [
        f"floating {i}" for i in range(count)
    ]


async def test_a_rejection_belongs_to_the_execution_that_made_it(opened: Open) -> None:
    service = await opened(function("await ctx.sleep(1); Promise.reject(new Error(ctx.requestId)); await ctx.sleep(1)"))
    ends = [service.begin() for _ in range(20)]
    for number, end in enumerate(ends, 1):
        (report,) = (await end).of(Unhandled)
        assert orjson.loads(report.payload)["message"] == f"request-{number}"


async def test_a_rejection_at_the_top_level_is_told_of_the_module(opened: Open) -> None:
    service = await opened("Promise.reject(new Error('early'));" + function("return 1"))
    assert (await service.run()).value == 1
    (report,) = service.module_events
    assert isinstance(report, Unhandled)

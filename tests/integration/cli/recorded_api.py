"""A real HTTP server that answers as the management API does, from recorded answers.

The whole Flux is tested in tests/acceptance; here the command line meets what a healthy server never sends.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.unit.cli.recorded import recorded

KEY = "flux_op_secret"


@dataclass
class RecordedApi:
    """`requests` are those received: (method, path with query, body). `refusals` make a path answer with an error."""

    url: str = ""
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    replay_matches: bool = True
    streams: list[list[dict[str, Any]]] = field(default_factory=list)
    """What each connection to /tail is sent before it is closed; when none is left, one stays open and silent."""


@contextmanager
def serving(api: RecordedApi) -> Iterator[RecordedApi]:
    started = threading.Event()
    # Not new_event_loop(): the policy of the session may make a uvloop, whose handling of forks is not meant for a loop
    # in one thread while another starts processes.
    loop = asyncio.SelectorEventLoop()
    stopping = asyncio.Event()

    async def run() -> None:
        runner = web.AppRunner(_with_policies(_application(api, stopping)), shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await stopping.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    started.wait(10)
    try:
        yield api
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
        loop.close()


def _application(api: RecordedApi, stopping: asyncio.Event) -> web.Application:
    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
        api.requests.append((request.method, request.path_qs, await request.read()))
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _error(401, "UNAUTHENTICATED", "this needs the operator key")
        refusal = api.refusals.get(request.path)
        if refusal is not None:
            return _error(*refusal, "refused for the test")
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPNotFound:
            return _error(404, "NOT_FOUND", "nothing there")
        return response

    async def executions(request: web.Request) -> web.Response:
        items = recorded("page")["items"]
        at = int(request.query.get("after", 0))
        end = at + min(int(request.query["limit"]), 2)  # small pages, so that a listing needs more than one
        return web.json_response({"items": items[at:end], "next": str(end) if end < len(items) else None})

    async def execution(request: web.Request) -> web.Response:
        for name in ("create_user", "signup_failed"):
            if recorded(name)["request_id"].startswith(request.match_info["id"]):
                return web.json_response(recorded(name))
        raise web.HTTPNotFound

    async def replay(request: web.Request) -> web.Response:
        outcome = {"status": 200, "output": {"id": 42}, "error": None}
        replayed = outcome if api.replay_matches else outcome | {"output": {"id": 43}}
        ids = {"request_id": "9c1d2e3f-0000", "of": request.match_info["id"]}
        more = {"status": 200, "match": api.replay_matches, "divergences": []}
        return web.json_response({**ids, **more, "recorded": outcome, "replayed": replayed})

    async def tail(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for item in api.streams.pop(0) if api.streams else ():
            await response.write(f"data: {json.dumps(item)}\n\n".encode())
        if not api.streams:
            await stopping.wait()
        return response

    async def logs(request: web.Request) -> web.Response:
        origin = {"request_id": recorded("create_user")["request_id"], "function": "create_user"}
        late = {"time": "2026-11-22T14:03:22.2Z", "level": "warn", "message": "second", **origin}
        early = {"time": "2026-11-22T14:03:22.1Z", "level": "info", "message": "first", **origin}
        return web.json_response({"items": [late, early]})

    async def invoke(request: web.Request) -> web.Response:
        headers = {"x-request-id": "4f9a3b2c-1d2e-4f5a-8b6c-7d8e9f0a1b2c"}
        body = await request.read()
        answers = {
            "echo": lambda: web.Response(body=body, content_type="application/json", headers=headers),
            "text": lambda: web.Response(text="plain", headers=headers),
            "taken": lambda: _error(409, "EMAIL_TAKEN", "email already registered", headers),
            "teapot": lambda: web.Response(status=418, text="short and stout", headers=headers),
        }
        if request.match_info["function"] not in answers:
            return _error(404, "NOT_FOUND", "no such function", headers)
        return answers[request.match_info["function"]]()

    async def keys(request: web.Request) -> web.Response:
        made = {"id": "ab12cd34", "name": "ci", "tenant": "acme", "role": "member"}
        made["created_at"] = "2026-11-22T14:00:00Z"
        if request.method == "POST":
            return web.json_response({**made, "key": "flux_ab12cd34_secret"}, status=201)
        return web.json_response({"items": [{**made, "revoked_at": None}]})

    async def revoke(request: web.Request) -> web.Response:
        return web.Response(status=204)

    application = web.Application(middlewares=[guard])
    base = "/flux/api"
    application.router.add_get(base + "/executions", executions)
    application.router.add_get(base + "/executions/{id}", execution)
    application.router.add_post(base + "/executions/{id}/replay", replay)
    application.router.add_get(base + "/tail", tail)
    application.router.add_get(base + "/logs", logs)
    application.router.add_post(base + "/invoke/{function}", invoke)
    application.router.add_route("*", base + "/keys", keys)
    application.router.add_delete(base + "/keys/{id}", revoke)
    return application


def _with_policies(application: web.Application) -> web.Application:
    base = "/flux/api/policies"
    made = {"table": "users", "version": 2, "active": True, "source": "api", "created_by": "api", "problem": None}
    policy = {**made, "created_at": "2026-11-22T14:00:00Z", "document": {"member": {"preset": "full"}}}
    warnings = ["public.everyone shows rows of tables with policies: raw SQL gets no rights on it"]
    reads = {"role": "member", "operation": "select", "allowed": True, "by": "member", "columns": ["email", "id"]}
    granted = {**reads, "where": "id = $auth.uid", "check": None}
    denied = {"role": "member", "operation": "insert", "allowed": False, "by": None, "columns": [], "where": None}

    async def policies(_: web.Request) -> web.Response:
        return web.json_response({"items": [policy], "warnings": warnings})

    async def one_policy(request: web.Request) -> web.Response:
        if request.method == "DELETE":
            return web.json_response({"table": "users", "removed": True})
        return web.json_response({**policy, "warnings": []})

    async def explained(_: web.Request) -> web.Response:
        grants = [granted, {**denied, "check": None}]
        masked = ["password_hash"]
        return web.json_response(
            {"table": "users", "restricted": True, "masked": masked, "problem": None, "grants": grants}
        )

    async def tested(request: web.Request) -> web.Response:
        asked = await request.json()
        answer = {**(granted if asked["operation"] == "select" else denied), "check": None, "role": asked["role"]}
        row = {"found": True, "visible": False, "valid": True} if "id" in asked else None
        return web.json_response({"table": "users", **answer, "problem": None, "row": row})

    application.router.add_get(base, policies)
    application.router.add_route("*", base + "/{table}", one_policy)
    application.router.add_get(base + "/{table}/explain", explained)
    application.router.add_post(base + "/{table}/test", tested)
    return application


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"error": {"code": code, "message": message, "request_id": None}}
    return web.json_response(body, status=status, headers=headers)

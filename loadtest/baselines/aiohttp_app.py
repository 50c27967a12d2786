"""Baseline 1: a bare aiohttp application on uvloop. One process, no validation, nothing recorded.

Run: python -m loadtest.baselines.aiohttp_app --port 8001
"""

from __future__ import annotations

import argparse

import orjson
import uvloop
from aiohttp import web


async def hello(request: web.Request) -> web.Response:
    name = orjson.loads(await request.read())["name"]
    return web.Response(body=orjson.dumps({"message": f"Hello, {name}!"}), content_type="application/json")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    port = arguments.parse_args().port
    app = web.Application()
    app.router.add_post("/hello", hello)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main()

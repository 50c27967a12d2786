"""The scenarios for Locust, to watch a server under load by hand, with Locust's charts or without:

    locust -f loadtest/locustfile.py --headless --host http://127.0.0.1:4000 --users 20 --run-time 30s HelloUser

User classes: HelloUser, CreateUser, MixedUser. Loopback only; users and run time are bounded, whatever is asked for.
For figures use `python -m loadtest compare`: Locust is one Python process and measures itself long before the server.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, events, task
from locust.env import Environment

# Locust loads this file by its path, not as part of a package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loadtest.loopback import NotLoopback, require_loopback
from loadtest.scenario import Name, Request, Stream

MAX_USERS = 500
MAX_RUN_TIME_S = 600
DEFAULT_RUN_TIME_S = 30


def bound(environment: Environment, **_: Any) -> None:
    """Refuses other targets than this machine, and bounds users and time, before anything is sent."""
    options = environment.parsed_options
    if options is None:
        return
    users = int(options.num_users or 1)
    options.run_time = int(options.run_time or DEFAULT_RUN_TIME_S)
    try:
        require_loopback(environment.host or options.host or "")
    except NotLoopback as error:
        sys.exit(str(error))
    if users > MAX_USERS or options.run_time > MAX_RUN_TIME_S:
        sys.exit(f"at most {MAX_USERS} users for {MAX_RUN_TIME_S} s, not {users} for {options.run_time} s")


events.init.add_listener(bound)  # type: ignore[no-untyped-call]  # Locust's events have no types


class ScenarioUser(FastHttpUser):
    """Sends a scenario's stream, thinking for a moment between requests."""

    abstract = True
    scenario: Name = "hello"
    wait_time = between(0.05, 0.2)

    def on_start(self) -> None:
        # A stream of its own each, so that no two users create the same e-mail address.
        self.stream = Stream(self.scenario, secrets.token_hex(6))

    @task
    def send(self) -> None:
        request: Request = next(self.stream)
        headers = dict(request.headers) | ({"content-type": "application/json"} if request.body else {})
        with self.client.request(
            request.method,
            request.path,
            data=request.body.decode(),
            headers=headers,
            name=request.kind,
            catch_response=True,
        ) as response:
            if response.status_code == request.expect:
                response.success()
            else:
                response.failure(f"status {response.status_code} instead of {request.expect}")


class HelloUser(ScenarioUser):
    scenario = "hello"


class CreateUser(ScenarioUser):
    scenario = "create_user"


class MixedUser(ScenarioUser):
    scenario = "mixed"

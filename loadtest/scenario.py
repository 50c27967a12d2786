"""What is sent: three scenarios, each an endless, reproducible stream of requests.

`hello`        no I/O: the stack's own cost.
`create_user`  a unique e-mail address: select, insert, enqueue a job.
`mixed`        70 % hello, 25 % create_user, 5 % reading a trace or sending bad input.
"""

from __future__ import annotations

import json
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Name = Literal["hello", "create_user", "mixed"]
NAMES: tuple[Name, ...] = ("hello", "create_user", "mixed")

# Shares of `mixed`; what is left over is split evenly between reading a trace and bad input.
MIXED_HELLO = 0.70
MIXED_CREATE_USER = 0.25

# A trace is read this long after its request was answered: recorders store afterwards, OpenTelemetry once a second.
READ_AFTER_S = 2.0

# How many answered IDs the mixed scenario keeps to read traces of.
REMEMBERED_IDS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request. `expect` is the status that counts as success; `recorded`: it must leave an execution behind."""

    kind: str
    method: str
    path: str
    body: bytes = b""
    expect: int = 200
    recorded: bool = True
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self, host: str) -> bytes:
        """The request as HTTP/1.1 bytes."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body:
            lines += ["content-type: application/json", f"content-length: {len(self.body)}"]
        return "\r\n".join((*lines, "", "")).encode() + self.body


@dataclass(frozen=True, kw_only=True)
class TraceReads:
    """Where a contender shows a recorded request: `path` holds `{id}`; `headers` authorize the reader."""

    path: str
    headers: tuple[tuple[str, str], ...] = ()


HELLO = Request(kind="hello", method="POST", path="/hello", body=b'{"name":"Ada"}')
BAD_INPUT = Request(kind="bad_input", method="POST", path="/create_user", body=b'{"email":"none"}', expect=422)


def create_user(run: str, number: int) -> Request:
    """A user nobody has created yet, as long as `run` is fresh."""
    body = json.dumps({"email": f"{run}-{number}@load.test"}).encode()
    return Request(kind="create_user", method="POST", path="/create_user", body=body)


class Stream:
    """The requests of one run of a scenario.

    `run` makes e-mail addresses unique; it also seeds the order of `mixed`, so that the same run gives the same stream.
    `answered` is fed with the IDs of answered requests, which `mixed` reads the traces of READ_AFTER_S later (bad input
    instead, while there are none or when the contender shows no traces).
    """

    def __init__(
        self, name: Name, run: str, traces: TraceReads | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._run = run
        self._traces = traces
        self._random = random.Random(run)  # noqa: S311 - order of requests, not a secret
        self._number = 0
        self._clock = clock
        self._ids: deque[tuple[float, str]] = deque(maxlen=REMEMBERED_IDS)

    def answered(self, request_id: str) -> None:
        self._ids.append((self._clock(), request_id))

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        if self.name == "hello":
            return HELLO
        if self.name == "create_user":
            return self._create_user()
        chance = self._random.random()
        if chance < MIXED_HELLO:
            return HELLO
        if chance < MIXED_HELLO + MIXED_CREATE_USER:
            return self._create_user()
        return self._read_or_bad_input()

    def _create_user(self) -> Request:
        self._number += 1
        return create_user(self._run, self._number)

    def _read_or_bad_input(self) -> Request:
        if self._traces is None or self._random.random() < 0.5:
            return BAD_INPUT
        if not self._ids or self._clock() - self._ids[0][0] < READ_AFTER_S:
            return BAD_INPUT
        _, request_id = self._ids.popleft()
        path = self._traces.path.format(id=request_id)
        return Request(kind="trace", method="GET", path=path, headers=self._traces.headers, recorded=False)

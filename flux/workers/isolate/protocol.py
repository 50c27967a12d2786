"""What an isolate says: lines of its outbox, as events.

A line is `execution TAB id TAB parent TAB op TAB payload LF`; the payload is JSON, which holds neither tab nor line
feed. An op that starts with "~" is the runtime's own; every other one is a host call. Events are named tuples, not
frozen dataclasses: there are tens of thousands a second, and a frozen dataclass takes four times as long to make.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

StopReason = Literal["cpu", "memory", "lost"]

# Messages to the isolate; sdk/runtime/main.js has the same numbers. 0 and 1 are the bridge's BOOT and SOURCE.
OPEN: Final = 2
START: Final = 3
ANSWER: Final = 4
ABANDON: Final = 5


class Call(NamedTuple):
    """A host call; `parent` 0 is the function itself."""

    execution: int
    id: int
    parent: int
    op: str
    args: bytes


class CallCancelled(NamedTuple):
    """The function no longer wants this call's answer (clearTimeout, an aborted fetch)."""

    execution: int
    id: int


class SpanOpened(NamedTuple):
    """`ctx.trace.span` began."""

    execution: int
    id: int
    parent: int
    name: str


class SpanClosed(NamedTuple):
    """`ctx.trace.span` ended; not ok when its function threw."""

    execution: int
    id: int
    ok: bool
    payload: bytes


class Logged(NamedTuple):
    """`console.*`, `ctx.log.*`: payload {"message", "fields"?}; level debug, info, warn or error."""

    execution: int
    level: str
    payload: bytes


class Redacted(NamedTuple):
    """`ctx.redact`: the value as JSON."""

    execution: int
    payload: bytes


class Done(NamedTuple):
    """The function's result: JSON, or {"status", "headers": [[name, value]], "body" | "body_base64"} of a Response."""

    execution: int
    kind: Literal["json", "response"]
    payload: bytes


class Failed(NamedTuple):
    """The function threw: {"code", "status", "message", "name", "stack", "cause"?, "violations"?}."""

    execution: int
    payload: bytes


class Unhandled(NamedTuple):
    """A promise was rejected and nobody listened, or a timer's callback threw; payload as in Failed.

    `execution` is the one that was running; 0 is the module's top level.
    """

    execution: int
    payload: bytes


class Stopped(NamedTuple):
    """Flux ended the execution: it exceeded its CPU time or memory, or was lost with its isolate."""

    execution: int
    reason: StopReason


class Settled(NamedTuple):
    """For the isolate's own book-keeping: whether the runtime still keeps an execution that has its outcome."""

    execution: int
    held: bool


class Loaded(NamedTuple):
    """For the isolate's own book-keeping: the module's top level has run, or failed with `error` (as in Failed)."""

    style: str | None
    error: bytes | None


Event = Call | CallCancelled | SpanOpened | SpanClosed | Logged | Redacted | Done | Failed | Unhandled | Stopped

# What a line may be.
Said = Event | Settled | Loaded

_OWN: Final[dict[bytes, Callable[[int, int, int, bytes], Said]]] = {
    b"~done": lambda execution, id, parent, payload: Done(execution, "json", payload),
    b"~response": lambda execution, id, parent, payload: Done(execution, "response", payload),
    b"~failed": lambda execution, id, parent, payload: Failed(execution, payload),
    b"~unhandled": lambda execution, id, parent, payload: Unhandled(execution, payload),
    b"~cancel": lambda execution, id, parent, payload: CallCancelled(execution, id),
    b"~open": lambda execution, id, parent, payload: SpanOpened(execution, id, parent, _text(payload)),
    b"~close": lambda execution, id, parent, payload: SpanClosed(execution, id, True, payload),
    b"~close!": lambda execution, id, parent, payload: SpanClosed(execution, id, False, payload),
    b"~log.debug": lambda execution, id, parent, payload: Logged(execution, "debug", payload),
    b"~log.info": lambda execution, id, parent, payload: Logged(execution, "info", payload),
    b"~log.warn": lambda execution, id, parent, payload: Logged(execution, "warn", payload),
    b"~log.error": lambda execution, id, parent, payload: Logged(execution, "error", payload),
    b"~redact": lambda execution, id, parent, payload: Redacted(execution, payload),
    b"~held": lambda execution, id, parent, payload: Settled(execution, True),
    b"~ready": lambda execution, id, parent, payload: Loaded(_text(payload), None),
    b"~module_failed": lambda execution, id, parent, payload: Loaded(None, payload),
}

_ops: dict[bytes, str] = {}  # decoded once; the runtime has a few dozen


def _text(payload: bytes) -> str:
    """A JSON string; it may hold lone surrogates, which are replaced."""
    value: str = json.loads(payload)
    return value.encode("utf-8", "replace").decode()


def parse(outbox: bytes) -> list[Said]:
    """What one step said, in the order in which they were said. Raises ValueError on a malformed line."""
    events: list[Said] = []
    for line in outbox.split(b"\n"):
        if not line:
            continue
        execution, id, parent, op, payload = line.split(b"\t", 4)
        make = _OWN.get(op)
        if make is not None:
            events.append(make(int(execution), int(id), int(parent), payload))
        else:
            name = _ops.get(op)
            if name is None:
                name = _ops[op] = op.decode()
            events.append(Call(int(execution), int(id), int(parent), name, payload))
    return events

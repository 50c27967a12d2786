"""Hands what an isolate says to the execution that it concerns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..build.sourcemap import Frame
from ..errors import CpuLimit, FluxError, IsolateLost, MemoryLimit
from ..record.javascript import dumps, loads
from .execution import Execution
from .failure import describe
from .isolate.protocol import (
    Call,
    CallCancelled,
    Done,
    Event,
    Failed,
    Logged,
    Redacted,
    SpanClosed,
    SpanOpened,
    Stopped,
    Unhandled,
)

Mapper = Callable[[str], Callable[[str], Sequence[Frame]]]

STOPPED: dict[str, type[FluxError]] = {"cpu": CpuLimit, "memory": MemoryLimit, "lost": IsolateLost}


def deliver(event: Event, execution: Execution, mapper: Mapper) -> None:
    """`mapper(version)` gives the function that turns a stack of that version's bundle into source frames."""
    match event:
        case Call():
            execution.called(event.id, event.parent, event.op, event.args)
        case Done():
            execution.done(event.kind, event.payload)
        case Failed():
            execution.failed(describe(loads(event.payload), mapper(execution.head.version)))
        case Logged():
            execution.logged(event.level, event.payload)
        case SpanOpened():
            execution.span_opened(event.id, event.parent, event.name)
        case SpanClosed():
            execution.span_closed(event.id, event.ok)
        case CallCancelled():
            if execution.host is not None:
                execution.host.cancel(event.id)
        case Redacted():
            execution.redact(event.payload)
        case Unhandled():
            failure = describe(loads(event.payload), mapper(execution.head.version))
            source = failure.details["source"]
            message = f"unhandled rejection: {failure.message}" + (f" at {source}" if source else "")
            execution.logged("error", dumps({"message": message}))
        case Stopped():
            execution.fail_with(STOPPED[event.reason]())

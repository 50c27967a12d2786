"""`flux replay ID`: the recorded code with every host call answered from the record, and what came out differently."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from ..errors import Conflict, Divergence, RecordBacklog
from ..manifest import FunctionSpec
from ..record.execution import original_body, uuid_text
from ..record.javascript import loads
from .heads import replay_work
from .http.call import Result
from .work import Work

CUT = "$truncated"  # stands for a value larger than the record's cap (`flux.record.journal`)


class NotReplayable(Conflict):
    """This execution cannot be replayed from its record."""

    code = "NOT_REPLAYABLE"


def check_replayable(execution: Mapping[str, Any]) -> None:
    """Raises NotReplayable when no function ran, or when this is a replay itself."""
    if not execution["function"] or not execution["code_version"] or not execution["seed"]:
        raise NotReplayable("No function ran in this execution, so there is nothing to replay.")
    if execution["kind"] == "replay":
        raise NotReplayable(f"This is a replay itself; replay {execution['replay_of']} instead.")


async def replay(
    execution: Mapping[str, Any], spec: FunctionSpec, run: Callable[[Work], Awaitable[Result]]
) -> dict[str, Any]:
    """Runs `execution` (as `flux.store.executions.get` gives it) again and compares.

    Returns {"request_id", "of", "status", "match", "recorded", "replayed", "divergences"}. Raises NotReplayable when
    the record is not whole (a value was larger than the record's cap).
    """
    _check_whole(loads(text_of(execution["spans"])))
    work = replay_work(execution, spec, _body(execution["input"]), clock_us(execution["started_at"]))
    result = await run(work)
    output, _, error = result.body.partition(b"\n")
    code = code_of(error)
    if code == RecordBacklog.code:
        raise RecordBacklog
    return {
        "request_id": uuid_text(work.request_id),
        "of": execution["request_id"],
        "status": result.status,
        "match": code != Divergence.code and same(execution, result.status, output, error),
        "recorded": {key: execution[key] for key in ("status", "output", "error")},
        "replayed": {"status": result.status, "output": orjson.Fragment(output), "error": orjson.Fragment(error)},
        "divergences": [_divergence(loads(error))] if code == Divergence.code else [],
    }


def text_of(value: orjson.Fragment | None) -> bytes:
    """JSON text, to the byte as it is stored."""
    return orjson.dumps(value)


def code_of(error: bytes) -> str | None:
    found = loads(error)
    return found.get("code") if isinstance(found, dict) else None


def same(recorded: Mapping[str, Any], status: int, output: bytes, error: bytes) -> bool:
    """Whether a replay came out as recorded: status, and output (to the byte) or error code."""
    before = text_of(recorded["error"])
    if (recorded["status"], code_of(before)) != (status, code_of(error)):
        return False
    return error != b"null" or text_of(recorded["output"]) == output


def clock_us(started_at: str) -> int:
    """Microseconds since 1970 of a time as the API writes it."""
    moment = datetime.strptime(started_at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond


def _check_whole(spans: list[dict[str, Any]]) -> None:
    for span in spans:
        for value in (span["input"], span["output"]):
            if isinstance(value, dict) and value.keys() == {CUT}:
                raise NotReplayable(
                    f"Cannot replay: call {span['name']} carried {value[CUT]} bytes, too many to be recorded"
                    " ([record] body_bytes)."
                )


def _body(text: orjson.Fragment | None) -> bytes | None:
    """The body that the function got, from the text that is stored: not a byte of it may differ."""
    try:
        return original_body(None if text is None else orjson.dumps(text))
    except ValueError as error:
        raise NotReplayable(f"Cannot replay: {error}.") from error


def _divergence(error: Mapping[str, Any]) -> dict[str, Any]:
    return {"message": error["message"], **(error.get("violations") or [{}])[0]}

"""`flux replay ID`: the recorded code with every host call answered from the record, and what came out differently."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from ..errors import Conflict, Divergence, RecordBacklog
from ..manifest import FunctionSpec
from ..record.execution import original_body, uuid_text
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
    recorded: dict[str, Any] = orjson.loads(orjson.dumps(execution))
    _check_whole(recorded["spans"])
    work = replay_work(recorded, spec, _body(execution["input"]), clock_us(recorded["started_at"]))
    result = await run(work)
    after = {"status": result.status, **orjson.loads(result.body)}
    code = (after["error"] or {}).get("code")
    if code == RecordBacklog.code:
        raise RecordBacklog
    return {
        "request_id": uuid_text(work.request_id),
        "of": recorded["request_id"],
        "status": result.status,
        "match": code != Divergence.code and same(recorded, after),
        "recorded": {key: recorded[key] for key in ("status", "output", "error")},
        "replayed": after,
        "divergences": [_divergence(after["error"])] if code == Divergence.code else [],
    }


def clock_us(started_at: str) -> int:
    """Microseconds since 1970 of a time as the API writes it."""
    moment = datetime.strptime(started_at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond


def same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a replay came out as recorded: status, and output or error code."""
    if before["status"] != after["status"]:
        return False
    if before["error"] or after["error"]:
        return (before["error"] or {}).get("code") == (after["error"] or {}).get("code")
    return bool(before["output"] == after["output"])


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

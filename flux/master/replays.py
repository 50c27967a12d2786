"""`flux replay ID`: the recorded code with every host call answered from the record, and what came out differently."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from ..errors import Conflict, Divergence
from ..manifest import FunctionSpec
from ..record.execution import original_body, uuid_text
from .heads import replay_work
from .http.call import Result
from .work import Work


class NotReplayable(Conflict):
    """This execution cannot be replayed from its record."""

    code = "NOT_REPLAYABLE"


async def replay(
    execution: Mapping[str, Any], spec: FunctionSpec, run: Callable[[Work], Awaitable[Result]]
) -> dict[str, Any]:
    """Runs `execution` (as `flux.store.executions.get` gives it) again and compares.

    Returns {"request_id", "of", "status", "match", "recorded", "replayed", "divergences"}. Raises NotReplayable when
    the record is not whole (no function ran, a value was larger than the record's cap).
    """
    recorded: dict[str, Any] = orjson.loads(orjson.dumps(execution))
    work = replay_work(recorded, spec, _body(recorded, execution["input"]), clock_us(recorded["started_at"]))
    result = await run(work)
    answer = orjson.loads(result.body)
    failed = result.status >= 400 and isinstance(answer, dict) and isinstance(answer.get("error"), dict)
    error: dict[str, Any] = answer["error"] if failed else {}
    diverged = error.get("code") == Divergence.code
    before = {key: recorded[key] for key in ("status", "output", "error")}
    after = {"status": result.status, "output": None if error else answer, "error": error or None}
    return {
        "request_id": uuid_text(work.request_id),
        "of": recorded["request_id"],
        "status": result.status,
        "match": not diverged and same(before, after),
        "recorded": before,
        "replayed": after,
        "divergences": [{"message": error.get("message"), **(error.get("violations") or [{}])[0]}] if diverged else [],
    }


def clock_us(started_at: str) -> int:
    """Microseconds since 1970 of a time as the API writes it."""
    moment = datetime.strptime(started_at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond


def _body(recorded: Mapping[str, Any], text: orjson.Fragment | None) -> bytes | None:
    """The body that the function got, from the text that is stored: not a byte of it may differ."""
    if not recorded["function"] or not recorded["code_version"] or not recorded["seed"]:
        raise NotReplayable("No function ran in this execution, so there is nothing to replay.")
    if recorded["kind"] == "replay":
        raise NotReplayable(f"This is a replay itself; replay {recorded['replay_of']} instead.")
    try:
        return original_body(None if text is None else orjson.dumps(text))
    except ValueError as error:
        raise NotReplayable(f"Cannot replay: {error}.") from error


def same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a replay came out as recorded: status, and output or error code."""
    if before["status"] != after["status"]:
        return False
    if before["error"] or after["error"]:
        return (before["error"] or {}).get("code") == (after["error"] or {}).get("code")
    return bool(before["output"] == after["output"])

"""The host that answers from a record, and lets nothing out.

Theory of operation. One message into an isolate is one evaluation with all microtasks that it sets off, so a run is
determined by code, input, seed, clock, and the *order* in which answers arrive. The record holds that order
(`settled`). This host therefore gives the answers strictly in recorded order, each as soon as the function has made
its call. A call that the record does not hold at that place (operation, then arguments) is a divergence and ends the
replay; so is a function that waits for something else than the next recorded answer.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Divergence
from ..record.javascript import dumps, loads
from ..record.journal import FIRST_CALL
from ..record.redaction import REDACTED
from ..record.seal import Seal
from ..workers.execution import OFFSET, Execution

# Longer than any step may compute (limits.cpu_ms), so that silence means waiting.
STALL_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One host call of the record. `settled` is 0 for a call that was never answered."""

    id: int
    op: str
    args: Any
    ok: bool
    result: bytes
    answered_us: int
    settled: int


def recorded_calls(spans: Sequence[Mapping[str, Any]], seal: Seal) -> list[RecordedCall]:
    """The host calls among an execution's spans, by the number that the isolate gives them.

    Sealed results that this installation cannot open stay as they are; what the function makes of them diverges.
    """
    return [
        RecordedCall(
            id=span["id"] - OFFSET,
            op=span["op"],
            args=span["input"],
            ok=span["status"] == "ok",
            result=seal.open(span["output"]) or dumps(span["output"]),
            answered_us=span["start_us"] + span["duration_us"],
            settled=span["settled"],
        )
        for span in spans
        if span["id"] >= FIRST_CALL and span["op"] != "span"
    ]


def agrees(recorded: Any, asked: Any) -> bool:
    """Whether these are the recorded arguments. What was redacted in the record may have been anything."""
    before, now = dumps(recorded, sort_keys=True), dumps(asked, sort_keys=True)
    parts = before.split(REDACTED.encode())
    return before == now or (
        len(parts) > 1 and re.fullmatch(b".*?".join(map(re.escape, parts)), now, re.DOTALL) is not None
    )


class RecordedHost:
    """Answers one execution from `calls`; `secrets` supplies what no record holds."""

    def __init__(
        self,
        execution: Execution,
        calls: Sequence[RecordedCall],
        secrets: Mapping[str, str],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._execution = execution
        self._calls = {call.id: call for call in calls}
        self._order = deque(sorted((call for call in calls if call.settled), key=lambda call: call.settled))
        self._made: set[int] = set()
        self._secrets = secrets
        self._loop = loop
        self._stall: asyncio.TimerHandle | None = None
        self._then: Callable[[], None] | None = None
        self._watch()

    def call(self, id: int, op: str, args: bytes, parsed: Any) -> None:
        expected = self._calls.get(id)
        asked = loads(self._execution.journal.spans[id + OFFSET].input)
        if expected is None or expected.op != op or not agrees(expected.args, asked):
            self._diverge(id, op, asked, expected)
            return
        self._made.add(id)
        self._deliver()

    def cancel(self, id: int) -> None:
        """The function gave the call up, as it did when it was recorded."""

    @property
    def busy(self) -> bool:
        return any(call.id in self._made and call.op != "timer" for call in self._order)

    def when_settled(self, then: Callable[[], None]) -> None:
        self._then = then

    async def close(self) -> None:
        if self._stall is not None:
            self._stall.cancel()

    holds_nothing = False

    def _deliver(self) -> None:
        while self._order and self._order[0].id in self._made:
            call = self._order.popleft()
            secret = call.op == "secrets.get"
            result = self._secret(call) if secret and call.ok else call.result
            self._execution.settle(call.id, call.ok, result, at_us=call.answered_us, secret=secret)
        if self._then is not None and not self.busy:
            then, self._then = self._then, None
            then()
        self._watch()

    def _secret(self, call: RecordedCall) -> bytes:
        return dumps(self._secrets.get(str(call.args.get("name")), ""))

    def _watch(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
        self._stall = self._loop.call_later(STALL_S, self._stalled)

    def _stalled(self) -> None:
        if not self._order:
            message = "The replay waits for an answer that the record does not hold: the recorded run ended before it."
        else:
            call = self._order[0]
            message = f"The replay never made call {call.id} ({call.op}), which the record answers next."
        self._execution.fail_with(Divergence(message))

    def _diverge(self, id: int, op: str, asked: Any, expected: RecordedCall | None) -> None:
        recorded = None if expected is None else {"op": expected.op, "args": expected.args}
        self._execution.fail_with(
            Divergence(
                f"Call {id} ({op}) is not what the record holds at this point.",
                violations=[{"seq": id, "op": op, "asked": asked, "recorded": recorded}],
            )
        )

"""The async branches of an execution: jobs that it queued, and what became of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .spans import is_push
from .text import Json, clean, duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """`outcome` is a state (`queued`, `running`, `rolled back` ...) and, once the job has run, how: `200 41ms`.

    `status` is that of the last attempt, None before the first.
    """

    function: str
    outcome: str
    status: int | None
    start_us: int


def branches(execution: Json) -> list[Branch]:
    """In the order pushed. The server's `children` say what became of each job."""
    children = list(execution.get("children") or ())
    spans = execution.get("spans") or ()
    undone = {_tx(span) for span in spans if _undoes(span)} - {None}
    rehearsed = execution.get("kind") == "rehearsal"  # all of it is rolled back at the end
    found = []
    for span in filter(is_push, spans):
        function = str(span["name"]).removeprefix("queue:push(").removesuffix(")")
        job = _taken(children, _object(span, "output").get("job_id"), function)
        rolled_back = rehearsed or _tx(span) in undone
        found.append(
            Branch(
                function=clean(function),
                outcome="rolled back" if rolled_back else _outcome(job),
                status=job.get("status") if job and not rolled_back else None,
                start_us=int(span.get("start_us") or 0),
            )
        )
    return found


def _taken(children: list[Json], job_id: object, function: str) -> Json | None:
    """The child that the push made, taken out of `children`.

    Finished jobs are swept from the queue after a while; then only their execution is left, without the job's ID.
    """
    for at, child in enumerate(children):
        if child.get("job_id") == job_id and job_id is not None:
            return children.pop(at)
    for at, child in enumerate(children):
        if child.get("job_id") is None and child.get("kind") == "job" and child.get("function") == function:
            return children.pop(at)
    return None


def _undoes(span: Json) -> bool:
    return span.get("op") == "db.rollback" or (span.get("op") == "db.commit" and span.get("status") == "error")


def _outcome(job: Json | None) -> str:
    if job is None:
        return "queued"
    state = clean(str(job.get("state") or "queued"))
    if job.get("status") is None or state == "running":
        return state
    ran = f"{job['status']} {duration(job.get('duration_ms'))}"
    if state == "queued":
        return f"{ran}, will be retried"
    if state == "dead":
        return f"{ran}, given up after {job.get('attempts') or 1} attempts"
    return ran


def _object(span: Json, key: str) -> Json:
    value = span.get(key)
    return value if isinstance(value, dict) else {}


def _tx(span: Json) -> object:
    return _object(span, "input").get("tx")

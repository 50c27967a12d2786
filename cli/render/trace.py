"""`flux trace ID`: one execution as a tree with latencies. Pure; the shape is fixed by exact tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flux.record.hints import Hint, hints

from .branches import Branch, branches
from .logs import log_lines
from .mutations import mutation_lines
from .spans import SLOW_MS, Node, is_slow, tree
from .text import PLAIN, Json, Paint, clean, duration, error_line, short_id, shorten, source_of, subject, violation_line

DURATION_COLUMN = 32  # of a root span; one further for each level below
WIDTH = 38
ERROR_WIDTH = 72  # of an error beside its span; the whole of it stands at the end

# These are what a reader looks for in the gateway's line; other steps appear there when they said no.
SHOWN_WHEN_PASSED = ("auth", "rate_limit", "cors")
_PASSED = ("ok", True)
_REFUSED = ("error", "failed", "denied", "refused", False)


def trace_lines(
    execution: Json,
    *,
    paint: Paint = PLAIN,
    slow_ms: float = SLOW_MS,
    with_logs: bool = False,
    with_mutations: bool = False,
    found: Sequence[Hint] | None = None,
) -> list[str]:
    """`execution` is the answer of `GET /flux/api/executions/{id}`. Blocks are set apart by one empty line.

    `found`: its hints, when more is known about them than the spans say.
    """
    roots = tree(execution.get("spans") or ())
    column = _column(roots)
    blocks = [[heading(execution, paint)]]
    blocks += [list(_span_block(root, column, slow_ms, paint)) for root in roots]
    blocks.append([_branch_line(branch, paint) for branch in branches(execution)])
    if with_mutations:
        blocks.append(list(mutation_lines(execution, paint)))
    blocks.append(
        [line for hint in (hints(execution) if found is None else found) for line in _hint_lines(hint, paint)]
    )
    if error := execution.get("error"):
        blocks.append(list(error_lines(error, paint)))
    if with_logs and (logs := execution.get("logs")):
        blocks.append([f"  {paint.bold('logs')}", *(f"  {line}" for line in log_lines(logs, paint=paint))])
    blocks.append([_total(execution, paint)])
    return "\n\n".join("\n".join(block) for block in blocks if block).split("\n")


def heading(execution: Json, paint: Paint) -> str:
    """`  Trace 4f9a3b2c  POST /create_user  200`, and whose replay or job it is."""
    parts = [
        f"Trace {paint.bold(short_id(execution['request_id']))}",
        subject(execution),
        paint.status(execution.get("status")),
    ]
    if original := execution.get("replay_of"):
        parts.append(paint.dim(f"replay of {short_id(original)}"))
    elif parent := execution.get("parent_request_id"):
        parts.append(paint.dim(f"from {short_id(parent)}"))
    return "  " + "  ".join(parts)


def error_lines(error: Json, paint: Paint = PLAIN) -> Iterator[str]:
    yield f"  {paint.red('✗ ' + error_line(error))}"
    if source := source_of(error):
        yield f"    at {source}"
    for violation in error.get("violations") or ():
        yield f"    {violation_line(violation)}"


def _hint_lines(hint: Hint, paint: Paint) -> Iterator[str]:
    yield f"  {paint.yellow('!')} {clean(hint.message)}"
    for index in hint.indexes:
        yield f"    {clean(index['why'])}; an index would serve:"
        yield f"    {paint.bold(clean(index['ddl']) + ';')}"
    if hint.next:
        yield f"    {paint.dim('next:')} {clean(hint.next)}"


def _column(roots: list[Node]) -> int:
    """Where the durations of the roots start: wide enough for the longest name, everywhere."""
    ends = (4 + 2 * node.depth + len(node.name) + 2 - node.depth for root in roots for node in root.walk())
    return max(DURATION_COLUMN, *ends, 0)


def _span_block(root: Node, column: int, slow_ms: float, paint: Paint) -> Iterator[str]:
    for node in root.walk():
        yield _span_line(node, column, slow_ms, paint)
        if node is root and (decisions := _decisions(root.span, paint)):
            yield f"    {decisions}"


def _span_line(node: Node, column: int, slow_ms: float, paint: Paint) -> str:
    indent = "  " * (node.depth + 1)
    name = node.name.ljust(column + node.depth - len(indent) - 2)
    line = f"{indent}{paint.cyan('▸')} {name}"
    if node.ms is None:
        return f"{line}{paint.red('no answer')}"
    took = duration(node.ms)
    line += f"{paint.yellow(took)}  {paint.yellow('slow')}" if is_slow(node, slow_ms) else took
    output = node.span.get("output")
    if (node.span.get("attributes") or {}).get("rolled_back"):
        line += "  " + paint.red("✗ rolled back")
    if node.failed and isinstance(output, dict):
        line += "  " + paint.red("✗ " + shorten(error_line(output), ERROR_WIDTH))
    elif node.failed:
        line += "  " + paint.red("✗")
    return line


def _decisions(span: Json, paint: Paint) -> str:
    """The entry span's attributes: `auth ✔  rate_limit ✔  cors ✔`."""
    attributes = span.get("attributes") or {}
    names = [name for name in SHOWN_WHEN_PASSED if name in attributes]
    names += [name for name in attributes if name not in SHOWN_WHEN_PASSED]
    shown = []
    for name in names:
        value = attributes[name]
        if value in _PASSED:
            shown += [f"{clean(name)} {paint.green('✔')}"] if name in SHOWN_WHEN_PASSED else []
        elif value in _REFUSED:
            shown.append(f"{clean(name)} {paint.red('✗')}")
        elif isinstance(value, str | int | float):
            shown.append(clean(f"{name} {value}"))
    return "  ".join(shown)


def _branch_line(branch: Branch, paint: Paint) -> str:
    outcome = branch.outcome
    if branch.status is not None and outcome.startswith(str(branch.status)):
        outcome = paint.status(branch.status) + outcome.removeprefix(str(branch.status))
    return f"  {paint.cyan('▸')} {branch.function}  {paint.dim('async →')}  {outcome}"


def _total(execution: Json, paint: Paint) -> str:
    total = f"total: {duration(execution.get('duration_ms'))}"
    return f"  ── {paint.bold(total)} {'─' * max(3, WIDTH - len(total) - 6)}"

"""`flux trace ID --flame`: every span as a bar on one time line. Pure."""

from __future__ import annotations

from .branches import branches
from .spans import SLOW_MS, Node, is_slow, tree
from .text import PLAIN, Json, Paint, duration, shorten
from .trace import error_lines, heading

MIN_BAR = 20
NAME_MAX = 40
DURATION_WIDTH = 8

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def flame_lines(execution: Json, *, width: int = 80, paint: Paint = PLAIN, slow_ms: float = SLOW_MS) -> list[str]:
    """Lines of at most `width` columns (at least 72 are used). A queued job is a `▸` where it was pushed."""
    roots = tree(execution.get("spans") or ())
    nodes = [node for root in roots for node in root.walk()]
    pushed = branches(execution)
    labels = [shorten("  " * node.depth + node.name, NAME_MAX) for node in nodes]
    labels += [shorten(branch.function, NAME_MAX) for branch in pushed]
    gutter = max(map(len, labels), default=0)
    bar = max(MIN_BAR, width - gutter - DURATION_WIDTH - 6)
    total_us = max([1, *(_end_us(node) for node in nodes), round(1000 * (execution.get("duration_ms") or 0))])

    lines = [heading(execution, paint), ""]
    for node, label in zip(nodes, labels, strict=False):
        took = "no answer" if node.ms is None else duration(node.ms)
        lines.append(f"  {label.ljust(gutter)}  {_bar(node, total_us, bar, slow_ms, paint)}  {took}")
    for branch in pushed:
        label = shorten(branch.function, NAME_MAX).ljust(gutter)
        at = min(bar - 1, bar * branch.start_us // total_us)
        lines.append(f"  {label}  {' ' * at}{paint.cyan('▸')}{' ' * (bar - at - 1)}  {branch.outcome}")
    lines.append(f"  {' ' * gutter}  {paint.dim(_axis(total_us, bar))}")
    if error := execution.get("error"):
        lines += ["", *error_lines(error, paint)]
    return lines


def _end_us(node: Node) -> int:
    return node.start_us + int(node.span.get("duration_us") or 0)


def _bar(node: Node, total_us: int, width: int, slow_ms: float, paint: Paint) -> str:
    """The bar within `width` columns, exact to an eighth of a column at its end; never shorter than one eighth.

    A span without an answer reaches to the end of the line.
    """
    start = min(width - 1, node.start_us * width // total_us)
    end = total_us if node.ms is None else min(total_us, _end_us(node))
    eighths = max(1, round(8 * width * end / total_us) - 8 * start)
    full, rest = divmod(min(eighths, 8 * (width - start)), 8)
    block = "█" * full + (_EIGHTHS[rest] if rest else "")
    colour = paint.red if node.failed or node.ms is None else paint.yellow if is_slow(node, slow_ms) else paint.cyan
    return " " * start + colour(block) + " " * (width - start - len(block))


def _axis(total_us: int, width: int) -> str:
    left, middle, right = "0ms", duration(total_us / 2000), duration(total_us / 1000)
    half = max(len(left) + 1, width // 2 - len(middle) // 2)
    text = left.ljust(half) + middle
    return text + right.rjust(max(len(right) + 1, width - len(text)))

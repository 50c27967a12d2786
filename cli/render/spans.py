"""The spans of an execution as a tree, and what stands out in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .text import Json, clean

SLOW_MS = 100.0  # a person notices from here on


@dataclass(frozen=True, slots=True)
class Node:
    span: Json
    depth: int
    children: list[Node] = field(default_factory=list)

    @property
    def name(self) -> str:
        return clean(str(self.span.get("name") or "?"))

    @property
    def ms(self) -> float | None:
        """None while the span has no answer."""
        return None if self.span.get("status") == "open" else float(self.span.get("duration_us") or 0) / 1000

    @property
    def start_us(self) -> int:
        return int(self.span.get("start_us") or 0)

    @property
    def failed(self) -> bool:
        return self.span.get("status") == "error"

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first. A function can nest deeper than Python recurses."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children)


def is_push(span: Json) -> bool:
    """A job that was queued: shown as an async branch, not as time spent in the function."""
    return str(span.get("name") or "").startswith("queue:push(") and span.get("status") != "error"


def tree(spans: Sequence[Json]) -> list[Node]:
    """The roots (the gateway's or the queue's span, then the function's), children in the order made, without pushes.

    A span whose parent the record lost becomes a root: shown out of place rather than hidden.
    """
    nodes: dict[int, Node] = {}
    roots: list[Node] = []
    for span in sorted(spans, key=lambda span: int(span.get("seq") or 0)):
        if is_push(span):
            continue
        above = nodes.get(span.get("parent") or 0)
        node = nodes[span["id"]] = Node(span, above.depth + 1 if above else 0)
        (above.children if above else roots).append(node)
    return roots


def own_ms(node: Node) -> float:
    """Time in the span that none of its children accounts for; overlapping children count once."""
    if node.ms is None:
        return 0.0
    covered, reached = 0, node.start_us
    for child in sorted(node.children, key=lambda child: child.start_us):
        end = child.start_us + int(child.span.get("duration_us") or 0)
        covered += max(0, end - max(child.start_us, reached))
        reached = max(reached, end)
    return max(0.0, node.ms - covered / 1000)


def is_slow(node: Node, slow_ms: float = SLOW_MS) -> bool:
    return own_ms(node) >= slow_ms

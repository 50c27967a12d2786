"""What a worker is born with. It travels from the master through the mold, pickled, over a socket only they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..config import Settings


@dataclass(frozen=True, kw_only=True)
class Boot:
    """`cpu` is None when workers are not pinned; `generation` counts the processes that had this index."""

    index: int
    generation: int
    cpu: int | None
    segment: str
    settings: Settings
    secrets: Mapping[str, str]
    manifest: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class BootFiles:
    """File descriptors that a worker inherits: two doorbells, and a socket that closes when the master is gone."""

    requests_bell: int
    results_bell: int
    control: int

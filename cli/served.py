"""Which data folders this user serves from, so that `flux trace` finds a server started in another folder.

`flux serve` notes its project and data folder in $XDG_STATE_HOME/flux/served (by default below ~/.local/state), newest
first. Only paths are in there: the URL and the key stay in the data folder, which only its owner can read.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KEPT = 32  # entries; more servers than that on one machine are not started by hand


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    project: Path
    data: Path


def remember(served: Served, env: Mapping[str, str] = os.environ) -> None:
    """Notes `served` as the newest. A home that cannot be written to is no reason not to serve."""
    file = _file(env)
    entries = [served, *(entry for entry in remembered(env) if entry.data != served.data)][:KEPT]
    lines = [json.dumps({"project": str(entry.project), "data": str(entry.data)}) for entry in entries]
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as partial:
            partial.write("\n".join(lines) + "\n")
        Path(partial.name).replace(file)  # whole or not at all, whoever else starts a server now


def remembered(env: Mapping[str, str] = os.environ) -> list[Served]:
    """Newest first; lines that are not ours are passed over."""
    try:
        lines = _file(env).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            found.append(Served(project=Path(entry["project"]), data=Path(entry["data"])))
    return found


def _file(env: Mapping[str, str]) -> Path:
    state = env.get("XDG_STATE_HOME") or str(Path(env.get("HOME") or "~").expanduser() / ".local" / "state")
    return Path(state) / "flux" / "served"

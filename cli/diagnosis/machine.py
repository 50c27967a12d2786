"""Checks of the machine: interpreter, native modules, libraries, kernel limits, clock."""

from __future__ import annotations

import importlib
import os
import platform
import re
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from .finding import FAILED, OK, WARNING, Finding

DISTRIBUTION = "flux-runtime"
OLDEST_PYTHON = (3, 11)
NATIVE_MODULES = ("flux.ipc._ring", "flux.workers.isolate._bridge")
DENO_TIMEOUT_S = 10.0
# Sockets to Postgres, rings, bundles and logs of a server, on top of one file for each client connection.
SPARE_FILES = 512
# A journal ring, and room for the request and result rings beside it.
RINGS_PER_WORKER = 2
# Reading these clocks is a system call or slower; Flux reads the clock several times a request.
SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies")
SHM = "/dev/shm"  # noqa: S108 - the kernel's shared memory, not a place for our files
CLOCK_FILE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


def python() -> Finding:
    version = platform.python_version()
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("python", FAILED, version, "Flux needs Python 3.11 or newer")
    return Finding("python", OK, f"{version} ({platform.machine()})")


def native_modules() -> Finding:
    for name in NATIVE_MODULES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            return Finding("native modules", FAILED, f"{name}: {error}", "install Flux again: pip install .")
    return Finding("native modules", OK, ", ".join(name.rpartition(".")[2] for name in NATIVE_MODULES))


def v8() -> Finding:
    """The bridge speaks the private C interface of one exact version, which the distribution pins."""
    try:
        found = metadata.version("mini-racer")
    except metadata.PackageNotFoundError:
        return Finding("v8", FAILED, "mini-racer is not installed", "install Flux again: pip install .")
    wanted = pinned("mini-racer")
    if wanted is not None and found != wanted:
        return Finding(
            "v8", FAILED, f"mini-racer {found}", f"this Flux needs exactly: pip install mini-racer=={wanted}"
        )
    return Finding("v8", OK, f"mini-racer {found}")


def pinned(name: str) -> str | None:
    """The exact version of a dependency that the installed Flux asks for."""
    try:
        requirements = metadata.requires(DISTRIBUTION) or ()
    except metadata.PackageNotFoundError:
        return None
    for requirement in requirements:
        if match := re.match(rf"{re.escape(name)}==([\w.]+)", requirement):
            return match[1]
    return None


def deno() -> Finding:
    try:
        binary = importlib.import_module("deno").find_deno_bin()
        # S603: the binary is the one inside the wheel.
        run = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=DENO_TIMEOUT_S, check=True)  # noqa: S603
    except (ImportError, OSError, AttributeError, subprocess.SubprocessError) as error:
        return Finding("deno", FAILED, str(error), "TypeScript cannot be built without it: pip install deno")
    return Finding("deno", OK, run.stdout.partition("\n")[0])


def shared_memory(workers: int, ring_bytes: int) -> Finding:
    needed = workers * ring_bytes * RINGS_PER_WORKER
    try:
        shm = os.statvfs(SHM)
    except OSError as error:
        return Finding("shared memory", FAILED, f"{SHM}: {error.strerror}", f"mount a tmpfs at {SHM}")
    free = shm.f_bavail * shm.f_frsize
    detail = f"{_mib(free)} free in {SHM}, about {_mib(needed)} used by {workers} workers"
    if free < needed:
        return Finding("shared memory", FAILED, detail, "in a container: --shm-size=1g; else lower record.ring_bytes")
    return Finding("shared memory", OK, detail)


def open_files(connections: int) -> Finding:
    """The hard limit counts: a server raises its soft limit to it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < needed:
        hint = "raise it (ulimit -Hn, LimitNOFILE=) or lower server.max_connections"
        return Finding("open files", WARNING, f"limit {hard}, {needed} wanted for all connections", hint)
    return Finding("open files", OK, f"limit {'none' if hard == resource.RLIM_INFINITY else hard}")


def clock(file: Path = CLOCK_FILE) -> Finding:
    try:
        source = file.read_text("ascii").strip()
    except OSError:
        return Finding("clock", OK, "source unknown")
    if source in SLOW_CLOCKS:
        return Finding("clock", WARNING, source, "a slow clock source costs time in each request; see your hypervisor")
    return Finding("clock", OK, source)


def _mib(size: int) -> str:
    return f"{size / (1024 * 1024):.0f} MiB"

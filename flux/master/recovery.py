"""After a crash of the master: stores what the rings of its workers still hold, before anything new is served.

What a killed master leaves: segments in shared memory, with rows that were not stored (or stored but not freed), and
executions that never ended; entries of long executions that were spilled to Postgres. All of it becomes rows; an
execution that never ended is closed as `worker died`, for its worker ended with its master.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time

import psutil

from ..errors import WorkerDied
from ..ipc.errors import RingCorrupt, SegmentInvalid
from ..ipc.segment import Segment
from ..record.assembly import Assembly
from ..store.copy import copy_rows_once
from ..store.pool import Connection
from ..store.spill import drop_spilled, load_spilled

log = logging.getLogger("flux.recovery")

BATCH = 4096
ORPHAN_WAIT_S = 5.0
WHY = ("WORKER_DIED", "worker died", WorkerDied.status)


async def recover(connection: Connection, instance: str, cap: int) -> int:
    """Stores what earlier masters of this data folder left behind; returns the number of executions it found."""
    found = 0
    assembly = Assembly()
    spilled = await load_spilled(connection, node=instance)
    assembly.restore(spilled)
    for name in Segment.list(f"flux-{instance}-"):
        await _end_orphans(name)
        try:
            segment = Segment.open(name)
        except (SegmentInvalid, RingCorrupt) as error:
            log.error("segment %s cannot be read and is removed: %s", name, error)
            Segment.remove(name)
            continue
        try:
            found += await _store(connection, segment, assembly)
        finally:
            segment.close()
    rows = [row for execution in list(assembly.open) if (row := assembly.close(execution, WHY, cap)) is not None]
    await copy_rows_once(connection, rows)
    found += len(rows)
    await drop_spilled(connection, list({execution for execution, *_ in spilled}))
    for name in Segment.list(f"flux-{instance}-"):
        Segment.remove(name)
    if found:
        log.info("recovered the record of %d executions from shared memory, %d of them unfinished", found, len(rows))
    return found


async def _store(connection: Connection, segment: Segment, assembly: Assembly) -> int:
    ring = segment.journal
    ring.rewind()
    stored = 0
    while True:
        start = ring.taken
        try:
            records = ring.read_with_positions(BATCH)
        except RingCorrupt as error:
            log.error("segment %s is damaged from here on: %s", segment.name, error)
            return stored
        if not records:
            return stored
        rows = assembly.take(records, start)
        await copy_rows_once(connection, rows)
        stored += len(rows)


async def _end_orphans(name: str) -> None:
    """A worker ends when it sees that its master is gone; one that has not yet must not go on writing."""
    with contextlib.suppress(SegmentInvalid, RingCorrupt):
        segment = Segment.open(name)
        pid = segment.peer
        segment.close()
        deadline = time.monotonic() + ORPHAN_WAIT_S
        while pid and _is_worker(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.01)


def _is_worker(pid: int) -> bool:
    """Whether the process is one of ours: process IDs are used again."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and any("flux: worker" in part for part in process.cmdline())
    except psutil.Error:
        return False

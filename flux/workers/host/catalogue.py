"""What this worker knows of the database, as an engine: its schema and policies, read once and again when they change.

Whether they have changed is asked beside the calls while these go on; one that comes when nobody has asked for
CHECK_S waits for the answer. So a change is in force after that at the latest. A call that names something unknown,
or that Postgres finds outdated, has it read again at once.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flux.data.engine import Engine
from flux.data.schema.introspect import FINGERPRINT, read_schema
from flux.store import policies

from .connection import on_lanes, run
from .free import Session
from .login import RawSql, read_raw_sql

if TYPE_CHECKING:
    from .scope import Services
    from .sql import Signature

# A policy that was taken back, a column that was added: in force this much later at the latest. The question costs
# Postgres a tenth of a millisecond.
CHECK_S = 1.0
_MARK = f"SELECT concat(({FINGERPRINT}), ' ', ({policies.MARKER}))"
# Unknown names make it read again; a function that asks for one in a loop must not keep Postgres listing its tables.
MIN_AGE_S = 1.0
# Raw statements whose description is kept. A team has a few hundred; past this something makes them up as it goes.
MAX_SIGNATURES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """`mark` changes when schema or policies do."""

    engine: Engine
    raw: RawSql
    mark: str


@dataclass(slots=True, eq=False)
class Catalogue:
    _known: _Known | None = None
    _checked_at: float = float("-inf")
    _read_at: float = float("-inf")
    _reading: asyncio.Task[None] | None = None
    # What Postgres said of raw statements, by text; and those that looked like reads and were none.
    signatures: dict[str, Signature] = field(default_factory=dict)
    writers: set[str] = field(default_factory=set)

    async def engine(self, services: Services) -> Engine:
        """Raises host errors as `run` does, when it has to be read and cannot be."""
        if self._known is None:
            await self.refresh(services)
        elif (age := time.monotonic() - self._checked_at) > CHECK_S / 2:  # early, so that calls that go on never wait
            reading = self._reading or self._start(services, check=True)
            if age > CHECK_S:
                await asyncio.shield(reading)
        assert self._known is not None
        return self._known.engine

    async def raw_sql(self, services: Services) -> RawSql:
        """How raw SQL runs, as of the same reading as the engine."""
        await self.engine(services)
        assert self._known is not None
        return self._known.raw

    async def refresh(self, services: Services) -> bool:
        """Reads again unless that has just been done; True when it did. Concurrent callers share one reading."""
        if self._reading is None and time.monotonic() - self._read_at < MIN_AGE_S:
            return False
        await asyncio.shield(self._reading or self._start(services, check=False))
        if self._known is None:  # what was under way was a look that failed
            await asyncio.shield(self._start(services, check=False))
        return True

    def remember(self, statement: str, signature: Signature) -> None:
        if len(self.signatures) >= MAX_SIGNATURES:
            self.signatures.clear()
        self.signatures[statement] = signature

    def forget(self) -> None:
        """What is known may be wrong from now on: the next call reads it anew."""
        self._known, self._read_at = None, float("-inf")
        self._forget_statements()

    def _forget_statements(self) -> None:
        self.signatures.clear()
        self.writers.clear()

    def _start(self, services: Services, *, check: bool) -> asyncio.Task[None]:
        self._reading = services.background(self._read(services, check=check))
        return self._reading

    async def _read(self, services: Services, *, check: bool) -> None:
        async def read(connection: Session) -> _Known:
            mark = str(await connection.fetchval(_MARK))
            schema = await read_schema(connection)
            found = await policies.load(connection, schema)
            database = services.settings.database
            raw = await read_raw_sql(connection, database, found.policies)
            return _Known(engine=Engine(schema, found.policies), raw=raw, mark=mark)

        started, known = time.monotonic(), self._known
        try:
            # On the lanes: transactions that hold all connections of the pool may be those that wait for this.
            same = check and known and await on_lanes(services, _MARK, (), read=True) == [known.mark.encode()]
            # What was forgotten meanwhile must not come back: the question may be older than the DDL.
            if known is None or not same or self._known is not known:
                known = await run(services, read, read=True)
            if self._known is not None and known.mark != self._known.mark:
                self._forget_statements()
            self._known = known
            self._checked_at = started
            self._read_at = time.monotonic()
        finally:
            self._reading = None

"""The tables and columns that functions may name: read from pg_catalog once per worker, and again when out of date.

A name that is not in here never reaches a statement; so there is nothing to escape, and nothing to inject into.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from flux.data.types.codec import Codec, codec
from flux.failure import HostError, nearest

from .connection import run
from .free import Session

if TYPE_CHECKING:
    from .scope import Services

_QUERY = files(__package__).joinpath("catalogue.sql").read_text("utf-8")

# A column that a migration adds appears in rows after this at the latest; whoever names it first gets it at once.
STALE_S = 30.0
# Unknown names make it read again; a function that asks for one in a loop must not keep Postgres listing its tables.
MIN_AGE_S = 1.0
# Shapes of statements that are kept ready. A team has a few hundred; past this something makes them up as it goes.
MAX_PLANS = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    name: str
    codec: Codec


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """`key` names the primary key's columns, in their order; views have none."""

    schema: str
    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]

    def column(self, name: str) -> Column:
        """Raises 400 UNKNOWN_COLUMN."""
        found = self.columns.get(name)
        if found is None:
            raise HostError(
                "UNKNOWN_COLUMN",
                400,
                f'Table "{self.name}" has no column "{name}".' + nearest(name, self.columns),
                {"table": self.name, "column": name},
            )
        return found


@dataclass(slots=True, eq=False)
class Catalogue:
    """Tables by name, and what has been derived from them (`plans`, dropped whenever a table has changed)."""

    tables: Mapping[str, Table] = field(default_factory=dict)
    plans: dict[Any, Any] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _reading: asyncio.Task[None] | None = None

    async def table(self, services: Services, name: str) -> Table:
        """Raises 400 UNKNOWN_TABLE, after another look when the last one is not recent."""
        self.check_age(services)
        if name not in self.tables:
            await self.refresh(services)
        found = self.tables.get(name)
        if found is None:
            raise HostError(
                "UNKNOWN_TABLE", 400, f'There is no table "{name}".' + nearest(name, self.tables), {"table": name}
            )
        return found

    async def load(self, services: Services) -> None:
        """Reads for the first time, unless that is done. Before a connection is pinned: all of them may be, soon."""
        if self._read_at == float("-inf"):
            await self.refresh(services)

    def check_age(self, services: Services) -> None:
        """Starts reading again, without waiting for it, when what is there is old."""
        if self.tables and self._reading is None and time.monotonic() - self._read_at > STALE_S:
            self._start(services)

    async def refresh(self, services: Services) -> bool:
        """Reads again unless that has just been done; True when it did. Concurrent callers share one reading."""
        if self._reading is None and time.monotonic() - self._read_at < MIN_AGE_S:
            return False
        await asyncio.shield(self._reading or self._start(services))
        return True

    def forget(self) -> None:
        """What is known may be wrong from now on: the next call reads it anew."""
        self.tables, self._read_at = {}, float("-inf")
        self.plans.clear()

    def remember(self, key: Any, plan: Any) -> None:
        if len(self.plans) >= MAX_PLANS:
            self.plans.clear()
        self.plans[key] = plan

    def _start(self, services: Services) -> asyncio.Task[None]:
        self._reading = services.background(self._read(services))
        return self._reading

    async def _read(self, services: Services) -> None:
        async def query(connection: Session) -> list[Any]:
            return await connection.fetch(_QUERY)

        try:
            tables = assemble(await run(services, query, read=True))
            if tables != self.tables:
                self.tables = tables
                self.plans.clear()
            self._read_at = time.monotonic()
        finally:
            self._reading = None


def assemble(rows: list[Mapping[str, Any]]) -> dict[str, Table]:
    """The rows of catalogue.sql as tables by name."""
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["schema"], row["table"]), []).append(row)
    tables = {}
    for (schema, name), columns in grouped.items():
        key = sorted((row for row in columns if row["key_position"]), key=lambda row: int(row["key_position"]))
        tables[name] = Table(
            schema=schema,
            name=name,
            columns={row["column"]: _column(row) for row in columns},
            key=tuple(row["column"] for row in key),
        )
    return tables


def _column(row: Mapping[str, Any]) -> Column:
    kind = "enum" if row["enumeration"] else row["type"]
    known = row["built_in"] or row["enumeration"] or row["type"] == "citext"
    return Column(name=row["column"], codec=codec(kind if known else "", sql=row["sql"], array=row["array"]))

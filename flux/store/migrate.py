"""Numbered migrations, forward only: Flux's own (schema `flux`) and the project's.

All that are missing are applied in one transaction under an advisory lock: nodes may start together, and a failure
leaves nothing half done. The one exception is Postgres' own: a label that one migration adds to an enumeration has to
be committed before a later one uses it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath

import asyncpg

from flux.data.schema.introspect import read_schema
from flux.errors import ConfigError
from flux.store import policies
from flux.store.partitions import drop_expired, ensure_partitions
from flux.store.pool import Connection
from flux.store.project_sql import execute
from flux.store.statements import refusal

__all__ = [
    "Applied", "Migration", "applied_project", "apply_project", "drop_expired", "ensure_partitions", "migrate",
    "migrate_project", "named", "read_folder",
]  # fmt: skip

FOLDER = Path(__file__).parent / "migrations"
# NULLS NOT DISTINCT, and the oldest release that its makers still maintain.
OLDEST_POSTGRES = 15
# "flux" in ASCII: no other program is likely to use it for an advisory lock.
LOCK_KEY = 0x666C7578

PREPARE = """
CREATE SCHEMA IF NOT EXISTS flux;
CREATE TABLE IF NOT EXISTS flux.migrations (
    number int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
);
"""


@dataclass(frozen=True, kw_only=True)
class Migration:
    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The same however a checkout writes line ends."""
        return hashlib.sha256("\n".join(re.split(r"\r\n?|\n", self.sql)).encode()).hexdigest()


def read_folder(folder: Path) -> list[Migration]:
    """The migrations of a folder in order; none when there is no such folder.

    Raises ConfigError for a file that is not called NNNN_name.sql or cannot be read, and for a number used twice.
    """
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        migration = named(path.name, _text(path), folder)
        if migration.number in found:
            raise ConfigError(f"{path}: number {path.name[:4]} is already taken by {found[migration.number].name}.")
        found[migration.number] = migration
    return [found[number] for number in sorted(found)]


def _text(path: Path) -> str:
    """As it is written: line ends within constants count. Some editors begin a file with a byte order mark."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8; save the file in that encoding.") from None
    if "\0" in text:
        raise ConfigError(f"{path}: there is a NUL character in line {_line_of(text, text.index(chr(0)))}.")
    return text


def named(name: str, sql: str, folder: PurePath) -> Migration:
    """A migration by its file's name. Raises ConfigError when that is not NNNN_name.sql."""
    match = re.fullmatch(r"(\d{4})_\w[\w.-]*\.sql", name)
    if match is None:
        raise ConfigError(f"{folder / name}: name migrations NNNN_what_it_does.sql, for example 0001_users.sql.")
    return Migration(number=int(match[1]), name=name, sql=sql)


async def migrate(conn: Connection) -> list[str]:
    """Bring schema `flux` up to this code's version; the names applied now.

    Raises ConfigError when the server is older than PostgreSQL 15, the schema newer than this code, the default schema
    of the user Flux's own, or the user may not make it.
    """
    major = conn.get_server_version().major
    if major < OLDEST_POSTGRES:
        raise ConfigError(f"This is PostgreSQL {major}; Flux needs {OLDEST_POSTGRES} or newer.")
    known = read_folder(FOLDER)
    async with conn.transaction():
        await _lock(conn)
        try:
            await conn.execute(PREPARE)
        except asyncpg.InsufficientPrivilegeError as error:
            raise ConfigError(
                f"Flux keeps its record in a schema of its own; this user may not make it: {error}. "
                "GRANT CREATE ON DATABASE ... TO it, or use the owner's user."
            ) from None
        if await conn.fetchval("SELECT current_schema()") == "flux":
            raise ConfigError(
                "Tables without a schema would be made in schema flux, because this user is called flux: "
                "run 'ALTER ROLE flux SET search_path = public', or connect as another user."
            )
        done = {row["number"] for row in await conn.fetch("SELECT number FROM flux.migrations")}
        if newer := done - {migration.number for migration in known}:
            raise ConfigError(
                f"Schema flux is at version {max(newer)}, made by a newer Flux; this one knows {known[-1].number}. "
                "Install the newer version again: migrations only go forward."
            )
        missing = [migration for migration in known if migration.number not in done]
        for migration in missing:
            await conn.execute(migration.sql)
            await conn.execute(
                "INSERT INTO flux.migrations (number, name) VALUES ($1, $2)", migration.number, migration.name
            )
    return [migration.name for migration in missing]


async def migrate_project(conn: Connection, folder: Path) -> list[str]:
    """Apply the project's `NNNN_name.sql` that were not applied yet; the names applied now.

    Raises ConfigError, naming the file, when one fails, when one would end the transaction, when one that was applied
    has changed since, or when one comes before what was already applied (two branches that took the same numbers).
    """
    return await apply_project(conn, read_folder(folder), folder)


async def apply_project(conn: Connection, migrations: list[Migration], folder: PurePath) -> list[str]:
    """The same for migrations that were read from `folder` already, wherever that is."""
    applied: list[str] = []
    whole = False
    while not whole:
        async with conn.transaction():
            names, whole = await _apply_missing(conn, migrations, folder)
        applied += names
    return applied


async def _apply_missing(conn: Connection, migrations: list[Migration], folder: PurePath) -> tuple[list[str], bool]:
    """The names applied now; False when they have to be committed before the next one can be."""
    await _lock(conn)
    done = {row.name: row.sha256 for row in await applied_project(conn)}
    missing = [migration for migration in migrations if migration.name not in done]
    _check_project(folder, migrations, done)
    for migration in missing:
        if found := refusal(migration.sql):
            raise ConfigError(f"{folder / migration.name}:{found[0]}: {found[1]}.")
    if not missing:
        return [], True
    await policies.lock(conn)  # before those of tables, like whoever brings Postgres to what policies say
    names: list[str] = []
    whole = True
    for migration in missing:
        try:
            await execute(conn, migration.sql)
        except asyncpg.PostgresError as error:
            # It uses a label that one of those before it has added to an enumeration.
            if names and isinstance(error, asyncpg.UnsafeNewEnumValueUsageError):
                whole = False
                break
            raise ConfigError(f"{folder / migration.name}{_line(migration.sql, error)}: {error}") from error
        await conn.execute(
            "INSERT INTO flux.project_migrations (name, sha256) VALUES ($1, $2)", migration.name, migration.sha256
        )
        names.append(migration.name)
    await policies.follow_renamed(conn, await read_schema(conn))
    return names, whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """A project's migration that has been applied; `sha256` of its file as it was then."""

    name: str
    sha256: str
    applied_at: datetime


async def applied_project(conn: Connection) -> list[Applied]:
    """In order; none where Flux has not been yet."""
    if await conn.fetchval("SELECT to_regclass('flux.project_migrations')") is None:
        return []
    rows = await conn.fetch("SELECT name, sha256, applied_at FROM flux.project_migrations ORDER BY name")
    return [Applied(**dict(row)) for row in rows]


def _check_project(folder: PurePath, migrations: list[Migration], done: dict[str, str]) -> None:
    last = max(done, default="")
    for migration in migrations:
        if migration.name not in done and migration.name < last:
            raise ConfigError(f"{folder / migration.name} comes before {last}, which is already applied: renumber it.")
        if migration.name in done and migration.sha256 != done[migration.name]:
            raise ConfigError(
                f"{folder / migration.name} was changed after it was applied: undo that and write a new migration."
            )


def _line(sql: str, error: asyncpg.PostgresError) -> str:
    """ ":<line>" of the error's position, or "" when the server gave none."""
    position = getattr(error, "position", None)
    return f":{_line_of(sql, int(position))}" if position else ""


def _line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


async def _lock(conn: Connection) -> None:
    await conn.execute(f"SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({LOCK_KEY})")

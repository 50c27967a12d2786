"""The database that `flux db` and `flux generate` work on, and how it is reached.

1. --database URL: directly
2. a server that runs (--url, or this project's): through its API
3. otherwise the database of the project's settings: the team's own, or the embedded one, which is started if it does
   not run and stopped again afterwards
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from . import interrupt
from .errors import BadUsage, CommandFailed, InTheWay

if TYPE_CHECKING:
    from flux.store.migrate import Migration
    from flux.store.pool import Connection

    from .client import Api

Result = TypeVar("Result")
Documents = list[tuple[str, Any]]
FOLDER = "migrations"


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """`changes`: objects with summary, lost and note. `migration`: the text of the file that makes them."""

    changes: list[dict[str, Any]]
    migration: str

    @property
    def destructive(self) -> list[dict[str, Any]]:
        return [change for change in self.changes if change["lost"]]


class Database(Protocol):
    """What is asked of it, by whichever way."""

    def compare(self, documents: Documents) -> Comparison: ...

    def applied(self) -> list[dict[str, str]]:
        """name, sha256 and applied_at of the project's migrations, in order."""

    def migrate(self, migrations: list[Migration], folder: Path) -> list[str]:
        """Applies what is missing; the names applied now."""

    def types(self) -> str:
        """The text of flux.d.ts."""


@dataclass(frozen=True, slots=True)
class Served:
    """Through a server that runs."""

    api: Api

    def compare(self, documents: Documents) -> Comparison:
        schemas = [{"file": file, "schema": schema} for file, schema in documents]
        found = self.api.post("/database/compare", {"schemas": schemas})
        return Comparison(changes=found["changes"], migration=found["migration"])

    def applied(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.api.get("/database/migrations")["items"]
        return found

    def migrate(self, migrations: list[Migration], folder: Path) -> list[str]:
        wanted = [{"name": each.name, "sql": each.sql} for each in migrations]
        applied: list[str] = self.api.post("/database/migrate", {"migrations": wanted})["applied"]
        return applied

    def types(self) -> str:
        return str(self.api.get("/database/types")["types"])


@dataclass(frozen=True, slots=True)
class Direct:
    """By a connection of our own for each operation."""

    url: str

    def compare(self, documents: Documents) -> Comparison:
        from flux.data.declare import migration
        from flux.data.declare.compare import compare
        from flux.data.declare.document import read_documents

        declared = read_documents(documents)
        changes = self._run(lambda conn: compare(conn, declared))
        return Comparison(
            changes=[{"summary": each.summary, "lost": each.lost, "note": each.note} for each in changes],
            migration=migration.text(changes) if changes else "",
        )

    def applied(self) -> list[dict[str, str]]:
        from flux.store.migrate import applied_project
        from flux.store.shape import plain

        return [
            {"name": each.name, "sha256": each.sha256, "applied_at": plain(each.applied_at)}
            for each in self._run(applied_project)
        ]

    def migrate(self, migrations: list[Migration], folder: Path) -> list[str]:
        from flux.store.migrate import apply_project, migrate

        async def work(conn: Connection) -> list[str]:
            await migrate(conn)
            return await apply_project(conn, migrations, folder)

        return self._run(work)

    def types(self) -> str:
        from flux.data.schema.introspect import read_schema
        from flux.data.schema.typescript import declarations

        return declarations(self._run(read_schema))

    def _run(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        import asyncpg

        async def connected() -> Result:
            async with _connection(self.url) as conn:
                return await work(conn)

        try:
            return asyncio.run(connected())
        except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError) as error:
            raise CommandFailed(f"Postgres: {error}") from None


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Connection]:
    import asyncpg

    try:
        conn = await asyncpg.connect(url)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise BadUsage(f"cannot connect to Postgres: {error}", hint="check --database or DATABASE_URL") from None
    try:
        yield conn
    finally:
        await conn.close()


@contextmanager
def opened(*, folder: Path, url: str | None, data: Path | None, database: str | None) -> Iterator[Database]:
    """The database of the project in `folder`; for the time of the block."""
    if database is not None:
        yield Direct(database)
        return
    api = _running(folder, url, data)
    if api is not None:
        yield Served(api)
        return
    _require_project(folder)
    from flux.config import load

    settings = load(folder, {"data": data.absolute() if data is not None else None})
    if settings.database.url is not None:
        yield Direct(settings.database.url)
        return
    with _embedded(settings.data / "postgres") as own:
        yield Direct(own)


def _running(folder: Path, url: str | None, data: Path | None) -> Api | None:
    from .client import Api
    from .connect import SERVER_FOUND_NOWHERE, find, is_project

    if url is None and not is_project(folder):
        return None  # another project's server must not get this one's tables
    target = find(url=url, project=folder, data=data, cwd=Path.cwd())
    return None if target.found == SERVER_FOUND_NOWHERE else Api(target)


def _require_project(folder: Path) -> None:
    """Raises BadUsage where no project is: a database must not come into being in whatever folder somebody stands."""
    from .connect import is_project

    if not is_project(folder) and not any((folder / name).is_dir() for name in ("schemas", FOLDER, "functions")):
        raise BadUsage(
            f"{folder} is no Flux project", hint="go to one (a folder with flux.toml), or name it with --project"
        )


@contextmanager
def _embedded(folder: Path) -> Iterator[str]:
    from flux.store import embedded, postmaster

    ran = postmaster.running(folder.absolute()) is not None
    interrupt.something_to_tidy = not ran
    server = embedded.start(folder)
    try:
        yield server.url
    finally:
        if not ran:
            server.stop()


def read_migrations(folder: Path) -> list[Migration]:
    """The files in the project's migrations folder, in order. Raises ConfigError for names that do not fit."""
    from flux.store.migrate import read_folder

    return read_folder(folder / FOLDER)


def write_migration(folder: Path, name: str, text: str) -> Path:
    path = folder / FOLDER / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="") as file:  # what is in constants stays as it is
            file.write(text)
    except FileExistsError:
        raise InTheWay(f"{path} exists already") from None
    except OSError as error:
        raise BadUsage(f"{path}: {error.strerror}") from None
    return path

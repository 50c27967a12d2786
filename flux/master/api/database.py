"""The team's database: compare it with declared schemas, apply migrations, describe its tables."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from flux.data.declare.change import statements
from flux.data.declare.compare import compare
from flux.data.declare.document import read_documents
from flux.data.declare.migration import text
from flux.data.schema.introspect import FLUSH_FINGERPRINT, read_schema
from flux.data.schema.typescript import declarations
from flux.errors import ConfigError, Conflict, ValidationFailed
from flux.master.api.declare import Call, Endpoint
from flux.master.api.shapes import (
    DatabaseChange,
    DatabaseComparison,
    DatabaseMigrated,
    DatabaseMigration,
    DatabaseMigrations,
    DatabaseTypes,
    MigrationsWanted,
    SchemasWanted,
)
from flux.master.http.mounts import ApiResponse, json_response
from flux.store.migrate import applied_project, apply_project, named
from flux.store.pool import Connection
from flux.store.shape import plain

FOLDER = PurePosixPath("migrations")


async def comparison(conn: Connection, documents: list[tuple[str, Any]]) -> DatabaseComparison:
    """What would have to change; `migration` is the text of the file that does it."""
    changes = await compare(conn, read_documents(documents))
    return DatabaseComparison(
        changes=[DatabaseChange(summary=each.summary, lost=each.lost, note=each.note) for each in changes],
        statements=statements(changes),
        migration=text(changes) if changes else "",
    )


async def compare_schemas(call: Call) -> ApiResponse:
    documents = _list(call.request.json(), "schemas", "file", "schema")
    async with call.services.pool.acquire() as conn:
        try:
            found = await comparison(conn, [(str(each["file"]), each["schema"]) for each in documents])
        except ConfigError as error:
            raise ValidationFailed(error.message) from None
    return json_response(found)


async def list_migrations(call: Call) -> ApiResponse:
    async with call.services.pool.acquire() as conn:
        applied = await applied_project(conn)
    items = [
        DatabaseMigration(name=each.name, sha256=each.sha256, applied_at=plain(each.applied_at)) for each in applied
    ]
    return json_response(DatabaseMigrations(items=items))


async def migrate(call: Call) -> ApiResponse:
    wanted = _list(call.request.json(), "migrations", "name", "sql")
    async with call.services.pool.acquire() as conn:
        try:
            migrations = [named(str(each["name"]), str(each["sql"]), FOLDER) for each in wanted]
            applied = await apply_project(conn, migrations, FOLDER)
        except ConfigError as error:
            raise Conflict(error.message) from None
        # Other sessions look for new columns by counts that this one would report only when it has nothing to do.
        await conn.execute(FLUSH_FINGERPRINT)
    await call.services.tables_changed()
    return json_response(DatabaseMigrated(applied=applied))


async def types(call: Call) -> ApiResponse:
    async with call.services.pool.acquire() as conn:
        schema = await read_schema(conn)
    return json_response(DatabaseTypes(version=schema.version, tables=len(schema.tables), types=declarations(schema)))


def _list(body: Any, name: str, *keys: str) -> list[dict[str, Any]]:
    items = body.get(name) if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(each, dict) and set(each) == set(keys) for each in items):
        raise ValidationFailed(f'Send {{"{name}": [{{{", ".join(keys)}}}, ...]}}.')
    return items


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/database/compare",
        about="What has to change in the database so that it is as these schemas declare. Changes nothing.",
        handler=compare_schemas,
        result=DatabaseComparison,
        body=SchemasWanted,
    ),
    Endpoint(
        method="GET",
        path="/database/migrations",
        about="The project's migrations that have been applied, in order.",
        handler=list_migrations,
        result=DatabaseMigrations,
    ),
    Endpoint(
        method="POST",
        path="/database/migrate",
        about="Applies those of these migrations that have not been, in one transaction. 409 when they do not fit.",
        handler=migrate,
        result=DatabaseMigrated,
        body=MigrationsWanted,
    ),
    Endpoint(
        method="GET",
        path="/database/types",
        about="The tables as TypeScript, the text of flux.d.ts.",
        handler=types,
        result=DatabaseTypes,
    ),
)

"""The team's database: schemas, migrations, types."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict


class DeclaredSchema(TypedDict):
    file: Annotated[str, "As messages name it."]
    schema: Annotated[Any, "What `defineSchema` was given, as JSON."]


class SchemasWanted(TypedDict):
    schemas: list[DeclaredSchema]


class DatabaseChange(TypedDict):
    summary: str
    lost: Annotated[str | None, "Data that would be gone; null when none would be."]
    note: str | None


class DatabaseComparison(TypedDict):
    changes: list[DatabaseChange]
    statements: list[str]
    migration: Annotated[str, "The text of a migration with these statements; empty without changes."]


class DatabaseMigration(TypedDict):
    name: str
    sha256: str
    applied_at: str


class DatabaseMigrations(TypedDict):
    items: list[DatabaseMigration]


class MigrationWanted(TypedDict):
    name: Annotated[str, "NNNN_name.sql"]
    sql: str


class MigrationsWanted(TypedDict):
    migrations: list[MigrationWanted]


class DatabaseMigrated(TypedDict):
    applied: Annotated[list[str], "Applied now."]


class DatabaseTypes(TypedDict):
    version: str
    tables: int
    types: str

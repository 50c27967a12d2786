"""Policies in Postgres: every version of each table's document, at most one of them active.

Versions come from the project's files and from the API. At start a file makes a new version if it says something else
than the last version that came from a file; a later change through the API stays until the file changes again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import asyncpg
import orjson

from flux.data.policy import assemble as assembling
from flux.data.policy import files
from flux.data.policy.assemble import Assembled
from flux.data.policy.document import MAX_DOCUMENT_BYTES, Document
from flux.data.policy.model import Policies
from flux.data.policy.rls.condition import Writer, name
from flux.data.query.model import ALWAYS
from flux.data.schema.model import Schema
from flux.errors import ConfigError
from flux.failure import HostError
from flux.store import renamed_policies
from flux.store.pool import Connection

Source = Literal["file", "api"]
# "poli" in ASCII. Held while versions are numbered, and while Postgres is brought to what policies say.
LOCK_KEY = 0x706F6C69

# Another text whenever other documents are active, or raw SQL runs otherwise; cheap enough to ask every second.
MARKER = (
    "SELECT concat(login, '|', single, '|', whole, '|', problem, '|', (SELECT string_agg("
    "table_name || ':' || version, ',' ORDER BY table_name) FROM flux.policies WHERE active)) FROM flux.protection"
)

# Tables with policies that are in no schema of the search path, or behind others: what shows their rows stays closed.
_LOST = (
    "SELECT namespace.nspname || '.' || class.relname AS name FROM flux.policies AS policy "
    "JOIN pg_catalog.pg_class AS class ON class.oid = policy.relation "
    "JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = class.relnamespace "
    "WHERE policy.active AND NOT pg_catalog.pg_table_is_visible(class.oid)"
)

_COLUMNS = "table_name AS table, version, document, source, active, created_by, created_at"


@dataclass(frozen=True, kw_only=True)
class StoredPolicy:
    table: str
    version: int
    document: Document
    source: Source
    active: bool
    created_by: str | None
    created_at: datetime


async def lock(conn: Connection) -> None:
    """Until the end of the transaction."""
    await conn.execute(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")


async def active(conn: Connection) -> dict[str, StoredPolicy]:
    """The active ones, by table."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM flux.policies WHERE active ORDER BY table_name")  # noqa: S608 (constant)
    return {row["table"]: _stored(row) for row in rows}


async def versions(conn: Connection, table: str) -> list[StoredPolicy]:
    """All versions of a table's policy, newest first."""
    query = f"SELECT {_COLUMNS} FROM flux.policies WHERE table_name = $1 ORDER BY version DESC"  # noqa: S608 (constant)
    return [_stored(row) for row in await conn.fetch(query, table)]


async def load(conn: Connection, schema: Schema) -> Assembled:
    """What holds now. Its `problems` name tables whose document does not fit the schema: those are denied to all."""
    lost = [row["name"] for row in await conn.fetch(_LOST)]
    return assembling.assemble(await renamed_policies.documents(conn, await active(conn), schema), schema, lost=lost)


async def save(
    conn: Connection, table: str, document: Document, schema: Schema, *, source: Source, created_by: str | None = None
) -> tuple[StoredPolicy, Policies]:
    """Makes the document the table's active policy; what was active already stays the same version.

    Needs a transaction, and `flux.store.protection.apply` in the same one. Raises 400 POLICY_INVALID, UNKNOWN_TABLE.
    """
    encoded = orjson.dumps(document)
    if len(encoded) > MAX_DOCUMENT_BYTES:
        raise HostError(
            "POLICY_INVALID", 400, f"The document has {len(encoded)} bytes; {MAX_DOCUMENT_BYTES} are allowed."
        )
    await lock(conn)
    await renamed_policies.follow(conn, schema)
    before = await active(conn)
    policies = assembling.check(_documents(before), table, document, schema)
    await probe(conn, table, schema, policies)
    found = before.get(table)
    if found is None or found.document != document:
        found = await _insert(conn, table, encoded, source, created_by)
    await mask(conn, schema, policies)
    return found, policies


async def remove(conn: Connection, table: str, schema: Schema) -> bool:
    """Leaves the table without a policy: open to all. Its versions stay. False when it has none.

    Needs a transaction, and `flux.store.protection.apply` in the same one.
    """
    await lock(conn)
    await renamed_policies.follow(conn, schema)
    tag = await conn.execute("UPDATE flux.policies SET active = false WHERE table_name = $1 AND active", table)
    await mask(conn, schema, (await load(conn, schema)).policies)
    return tag != "UPDATE 0"


async def follow_renamed(conn: Connection, schema: Schema) -> list[str]:
    """Notes the new names of tables that were renamed; what there is to tell, in lines."""
    async with conn.transaction():
        await lock(conn)
        told = await renamed_policies.follow(conn, schema)
        if told:
            await mask(conn, schema, (await load(conn, schema)).policies)
    return told


async def apply_files(conn: Connection, folder: Path, schema: Schema) -> list[str]:
    """Takes over the project's policy files (`folder` is the project's `policies/`); what there is to tell, in lines.

    Raises ConfigError naming file and key; then none is taken over.
    """
    told: list[str] = []
    documents = files.read_folder(folder)
    async with conn.transaction():
        await lock(conn)
        told += await renamed_policies.follow(conn, schema)
        before = await active(conn)
        from_files = await _last_from_files(conn)
        wanted = {**_documents(before), **documents}
        for table, document in documents.items():
            where = folder / f"{table}.toml"
            await _check(conn, where, wanted, table, document, schema)
            if from_files.get(table) != document:
                stored = await _insert(conn, table, orjson.dumps(document), "file", str(where.name))
                told.append(f"{table}: version {stored.version} from {where}")
            elif table in before and before[table].document != document:
                told.append(f"{table}: version {before[table].version} of the API is in force, not {where}")
            elif table not in before:
                told.append(f"{table}: was removed through the API; {where} is not in force")
        told += [
            f"{table}: its file is gone, its policy stays in force (flux policy remove {table})"
            for table, stored in before.items()
            if stored.source == "file" and table not in documents
        ]
        await mask(conn, schema, (await load(conn, schema)).policies)
    return told


async def mask(conn: Connection, schema: Schema, policies: Policies) -> None:
    """Tells the mutation record which columns are masked (flux.masked_columns), from this transaction on."""
    wanted = sorted(
        (schema.tables[key].schema, schema.tables[key].name, column)
        for key, policy in policies.tables.items()
        if key in schema.tables
        for column in policy.masked
    )
    lists = [list(each) for each in zip(*wanted, strict=True)] or [[], [], []]
    await conn.execute(
        """
        WITH wanted AS (SELECT * FROM unnest($1::name[], $2::name[], $3::name[]) AS w (schema, "table", "column")),
        gone AS (
            DELETE FROM flux.masked_columns m
            WHERE NOT EXISTS (
                SELECT FROM wanted w WHERE (w.schema, w."table", w."column") = (m.schema, m."table", m."column")
            )
        )
        INSERT INTO flux.masked_columns (schema, "table", "column") SELECT * FROM wanted ON CONFLICT DO NOTHING
        """,
        *lists,
    )
    if await conn.fetchval("SELECT to_regclass('flux.capture_pending')") is not None:
        await conn.execute("SELECT flux.manage(root) FROM flux.capture_pending")


async def _insert(
    conn: Connection, table: str, document: bytes, source: Source, created_by: str | None
) -> StoredPolicy:
    await conn.execute("UPDATE flux.policies SET active = false WHERE table_name = $1 AND active", table)
    row = await conn.fetchrow(
        "INSERT INTO flux.policies (table_name, version, document, source, active, created_by, relation) "  # noqa: S608 (constant)
        "SELECT $1, coalesce(max(version), 0) + 1, $2::text::json, $3, true, $4, to_regclass(quote_ident($1)) "
        f"FROM flux.policies WHERE table_name = $1 RETURNING {_COLUMNS}",
        table,
        document.decode(),
        source,
        created_by,
    )
    return _stored(row)


async def _last_from_files(conn: Connection) -> dict[str, Document]:
    rows = await conn.fetch(
        "SELECT DISTINCT ON (table_name) table_name, document FROM flux.policies "
        "WHERE source = 'file' ORDER BY table_name, version DESC"
    )
    return {row["table_name"]: _json(row["document"]) for row in rows}


async def _check(
    conn: Connection, where: Path, wanted: Mapping[str, Document], table: str, document: Document, schema: Schema
) -> None:
    try:
        await probe(conn, table, schema, assembling.check(wanted, table, document, schema))
    except HostError as error:
        raise ConfigError(f"{where}: {error.message}") from None


async def probe(conn: Connection, table: str, schema: Schema, policies: Policies) -> None:
    """Lets Postgres plan the table's conditions: it alone knows whether a constant is a range, say, and whether a type
    has an operator. Nothing is executed. Raises 400 POLICY_INVALID.
    """
    found = schema.table(table)
    for (role, operation), grant in policies.tables[table].grants.items():
        writer = Writer(schema=schema, policies=policies, role=role, inline=True)
        for key, condition in (("where", grant.where), ("check", grant.check)):
            if condition is None or condition == ALWAYS:
                continue
            text = writer.write(condition, found, "r")
            query = f"EXPLAIN SELECT FROM {name(found.schema)}.{name(found.name)} AS r WHERE {text}"
            try:
                async with conn.transaction():
                    await conn.execute(query)
            except asyncpg.InsufficientPrivilegeError:
                return  # a table of somebody else's
            except asyncpg.PostgresError as error:
                message = f"{role}.{operation}.{key}: Postgres says: {error.args[0]}"
                raise HostError("POLICY_INVALID", 400, message, {"key": f"{role}.{operation}.{key}"}) from None


def _documents(stored: Mapping[str, StoredPolicy]) -> dict[str, Document]:
    return {table: each.document for table, each in stored.items()}


def _stored(row: Any) -> StoredPolicy:
    return StoredPolicy(**{**row, "document": _json(row["document"])})


def _json(value: Any) -> Any:
    """A JSON column's value: text, or a fragment where the connection has Flux's codecs."""
    return orjson.loads(orjson.dumps(value) if isinstance(value, orjson.Fragment) else value)

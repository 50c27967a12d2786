"""Brings Postgres to what policies say, for raw SQL: roles, grants, row-level security (flux/data/policy/rls).

`apply` is called after policies or tables have changed; it costs two short queries when nothing is to be done.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace

import orjson

from flux.data.policy.model import Policies
from flux.data.policy.rls import names
from flux.data.policy.rls.model import SCHEMAS, Relation, Script
from flux.data.policy.rls.statements import script
from flux.data.policy.rls.token import SECRET, login_password
from flux.data.schema.model import Schema
from flux.errors import ConfigError
from flux.store import raw_login
from flux.store.policies import lock
from flux.store.pool import Connection
from flux.store.sql import statement

# Row-level security is switched under a lock that waits for all users of the table, and makes others wait behind it.
LOCK_TIMEOUT_MS = 5000


@dataclass(frozen=True, kw_only=True, slots=True)
class Protection:
    """How raw SQL runs. `login` None: it cannot be protected here, `problem` says why and what to do.

    `password` None: it is in the configured URL. `single`: see `flux.data.policy.rls.names.principals`. `whole`: the
    login may do with rows what Flux' own user may. `changed`: what Postgres held was out of date. `warnings`: what raw
    SQL cannot have, and why.
    """

    login: str | None
    password: str | None = None
    single: bool = False
    whole: bool = False
    key: bytes = b""
    changed: bool = False
    warnings: tuple[str, ...] = ()
    problem: str = ""

    def principal(self, role: str, policies: Policies) -> str:
        """The Postgres role that raw SQL of a caller with this role runs as."""
        assert self.login is not None
        return names.principal_of(self.login, role, policies, single=self.single)

    def url(self, url: str) -> str:
        """Where raw SQL connects to, given where Flux connects to."""
        assert self.login is not None
        return raw_login.with_user(url, self.login, self.password) if self.password is not None else url


_CANNOT_CREATE = (
    "Raw SQL has no login of its own, because Flux' user of Postgres may not make roles. Either run "
    "'ALTER ROLE <user> CREATEROLE', or make a role of your own ('CREATE ROLE app_sql LOGIN PASSWORD ...') and give "
    "its URL as sql_url under [database] in flux.toml; then start Flux again."
)


async def apply(conn: Connection, schema: Schema, policies: Policies, *, sql_url: str | None = None) -> Protection:
    """`sql_url` is `[database] sql_url`: a login of the team's own for raw SQL, for servers where Flux may not make
    roles. Raises ConfigError when that login has too many rights.

    Without policies the login may do with rows what Flux' own user may, but neither DDL nor anything in schema flux.
    """
    async with conn.transaction():
        await lock(conn)
        row = await conn.fetchrow(
            "SELECT current_database() AS database, p.state, p.claimed, p.warnings, p.whole, p.login, s.key, "
            "(SELECT rolsuper OR rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user) AS may_create "
            "FROM flux.protection AS p, flux.secret AS s WHERE s.name = $1",
            SECRET,
        )
        assert row is not None
        login = names.login_name(row["database"]) if sql_url is None else raw_login.user_of(sql_url)
        exists = await raw_login.is_harmless(conn, login)
        if sql_url is None and not row["may_create"]:
            await conn.execute(
                "UPDATE flux.protection SET login = NULL, whole = false, problem = $1 "
                "WHERE problem <> $1 OR login IS NOT NULL",
                _CANNOT_CREATE,
            )
            return Protection(login=None, problem=_CANNOT_CREATE)
        if sql_url is not None and not exists:
            raise ConfigError(f"database.sql_url: there is no role {login}")
        found = Protection(
            login=login,
            password=None if sql_url is not None else login_password(row["key"]),
            single=sql_url is not None,
            whole=row["whole"],
            key=row["key"],
            warnings=tuple(row["warnings"]),
        )
        made = script(schema, policies, await _relations(conn, row["claimed"]), login=login, single=found.single)
        state = await _state(conn, made, login, policies)
        before = orjson.loads(row["state"] or "{}")
        if (state, login) == (before, row["login"]):
            return found
        await conn.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        if sql_url is None:
            await raw_login.make_roles(conn, login, policies, row["key"])
        # What is as it was is left alone: to set up a table's rights anew means to lock it.
        for oid, statements in made.statements.items():
            if statements and state[str(oid)] != before.get(str(oid)):
                await conn.execute("; ".join(statements))
        await conn.execute("UPDATE flux.protection SET claimed = $1, warnings = $2", made.claimed, made.warnings)
        # Only now do the catalogues show what the next call will compare with.
        after = script(schema, policies, await _relations(conn, made.claimed), login=login, single=found.single)
        whole = not await conn.fetchval(statement("protection_lacks"), login)
        await conn.execute(
            "UPDATE flux.protection SET state = $1, login = $2, single = $3, whole = $4, problem = ''",
            orjson.dumps(await _state(conn, after, login, policies)).decode(),
            login,
            found.single,
            whole,
        )
    return replace(found, whole=whole, changed=True, warnings=made.warnings)


async def note_problem(conn: Connection, problem: str) -> None:
    """Why the login cannot be used, "" when it can: then raw SQL is refused, or without policies runs without it."""
    await conn.execute("UPDATE flux.protection SET problem = $1 WHERE problem <> $1", problem)


async def read_key(conn: Connection) -> bytes:
    """What tokens are signed with; workers read it once, at start."""
    return bytes(await conn.fetchval("SELECT key FROM flux.secret WHERE name = $1", SECRET))


async def _relations(conn: Connection, claimed: object) -> list[Relation]:
    rows = await conn.fetch(statement("protection"), claimed)
    return [
        Relation(
            **{
                **row,
                "parents": tuple(row["parents"]),
                "reads": tuple(row["reads"]),
                "policies": tuple(row["policies"]),
            }
        )
        for row in rows
    ]


async def _state(conn: Connection, made: Script, login: str, policies: Policies) -> dict[str, str]:
    """By relation, a hash of what is wanted and of what is there."""
    there: dict[int, list[object]] = defaultdict(list)
    for row in await conn.fetch(
        "SELECT polrelid::bigint, polname::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid), "
        "polpermissive, polcmd::text, polroles::bigint[] FROM pg_catalog.pg_policy "
        "WHERE starts_with(polname::text, 'flux_') ORDER BY polrelid, polname"
    ):
        there[row[0]].append(list(row))
    for relation in await _relations(conn, made.claimed):
        there[relation.oid].append((relation.secured, relation.rights))
    roles = [login, *(principal.name for principal in names.principals(login, policies))]
    known = await conn.fetchval("SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname = ANY ($1::text[])", roles)
    there[SCHEMAS].append(known)
    there[SCHEMAS] += await raw_login.settings(conn, login)
    return {
        str(oid): hashlib.sha256(orjson.dumps([statements, there[oid]])).hexdigest()[:32]
        for oid, statements in made.statements.items()
    }

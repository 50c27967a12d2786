"""Brings Postgres to what policies say, for raw SQL: roles, grants, row-level security (flux/data/policy/rls).

`apply` is called after policies or tables have changed; it costs two short queries when nothing is to be done.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg
import orjson

from flux.data.policy.model import Policies
from flux.data.policy.rls import names
from flux.data.policy.rls.condition import name
from flux.data.policy.rls.model import SCHEMAS, Relation, Script
from flux.data.policy.rls.statements import script
from flux.data.policy.rls.token import SECRET, login_password, scram_verifier
from flux.data.schema.model import Schema
from flux.errors import ConfigError
from flux.store.policies import lock
from flux.store.pool import Connection
from flux.store.sql import statement

# Row-level security is switched under a lock that waits for all users of the table, and makes others wait behind it.
LOCK_TIMEOUT_MS = 5000
LOGIN_TIMEOUT_S = 10.0
SALT_BYTES = 16


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
        return with_user(url, self.login, self.password) if self.password is not None else url


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
        login = names.login_name(row["database"]) if sql_url is None else _user(sql_url)
        exists = await _is_harmless(conn, login)
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
            await _make_roles(conn, login, policies, row["key"])
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


async def try_login(url: str) -> str:
    """Why nobody can connect with this URL, "" when one can."""
    try:
        await (await asyncpg.connect(url, timeout=LOGIN_TIMEOUT_S)).close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return _NOT_LET_IN.format(_user(url), error)
    return ""


async def note_problem(conn: Connection, problem: str) -> None:
    """Why the login cannot be used, "" when it can: then raw SQL is refused, or without policies runs without it."""
    await conn.execute("UPDATE flux.protection SET problem = $1 WHERE problem <> $1", problem)


async def read_key(conn: Connection) -> bytes:
    """What tokens are signed with; workers read it once, at start."""
    return bytes(await conn.fetchval("SELECT key FROM flux.secret WHERE name = $1", SECRET))


async def let_make_roles(superuser: Connection, user: str) -> None:
    """For the embedded server, whose superuser only Flux itself connects as: its ordinary user may make roles."""
    if not await superuser.fetchval("SELECT rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = $1", user):
        await superuser.execute(f"ALTER ROLE {name(user)} CREATEROLE")


def with_user(url: str, user: str, password: str) -> str:
    """The URL with another user and password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))


_CANNOT_CREATE = (
    "Raw SQL has no login of its own, because Flux' user of Postgres may not make roles. Either run "
    "'ALTER ROLE <user> CREATEROLE', or make a role of your own ('CREATE ROLE app_sql LOGIN PASSWORD ...') and give "
    "its URL as sql_url under [database] in flux.toml."
)

_NOT_LET_IN = (
    "The role {} for raw SQL cannot connect ({}). Let it in with its password (pg_hba.conf, the users of a pooler), or "
    "give the URL of a login of your own as sql_url under [database] in flux.toml."
)


def _user(sql_url: str) -> str:
    user = urlsplit(sql_url).username
    if not user:
        raise ConfigError("database.sql_url: must name a user: postgresql://USER:PASSWORD@HOST/DATABASE")
    return unquote(user)


async def _is_harmless(conn: Connection, login: str) -> bool:
    """Whether the login exists. Raises ConfigError when it could go around the policies."""
    row = await conn.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolname = current_user AS same, "
        "EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid "
        "WHERE m.member = r.oid AND NOT starts_with(g.rolname::text, $2)) AS member, "
        "EXISTS (SELECT FROM pg_catalog.pg_class WHERE relowner = r.oid) AS owns "
        "FROM pg_catalog.pg_roles AS r WHERE rolname = $1",
        login,
        names.PREFIX,
    )
    if row is None:
        return False
    if row["rolsuper"] or row["rolbypassrls"] or row["rolcreaterole"] or row["same"] or row["member"] or row["owns"]:
        raise ConfigError(
            f"The role {login}, as which raw SQL connects, has rights of its own: it must not be a superuser, have "
            "BYPASSRLS or CREATEROLE, own tables, be a member of other roles, or be the role that Flux connects as."
        )
    return True


async def _make_roles(conn: Connection, login: str, policies: Policies, key: bytes) -> None:
    existing = {
        row["rolname"]
        for row in await conn.fetch(
            "SELECT rolname FROM pg_catalog.pg_roles WHERE starts_with(rolname::text, $1)", login
        )
    }
    verifier = scram_verifier(login_password(key), secrets.token_bytes(SALT_BYTES))
    if login not in existing:
        await conn.execute(f"CREATE ROLE {name(login)} LOGIN NOINHERIT")
    await conn.execute(f"ALTER ROLE {name(login)} PASSWORD '{verifier}'")
    if not await conn.fetchval("SELECT has_database_privilege($1, current_database(), 'CONNECT')", login):
        database = await conn.fetchval("SELECT current_database()")
        await conn.execute(f"GRANT CONNECT ON DATABASE {name(database)} TO {name(login)}")
    for principal in names.principals(login, policies):
        if principal.name not in existing:
            await conn.execute(f"CREATE ROLE {name(principal.name)} NOLOGIN NOINHERIT")
            await conn.execute(f"GRANT {name(principal.name)} TO {name(login)}")


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
    return {
        str(oid): hashlib.sha256(orjson.dumps([statements, there[oid]])).hexdigest()[:32]
        for oid, statements in made.statements.items()
    }

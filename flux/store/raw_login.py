"""The role that raw SQL connects as: Flux makes it, unless the team gives one of its own (`[database] sql_url`)."""

from __future__ import annotations

import secrets
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg

from flux.data.policy.model import Policies
from flux.data.policy.rls import names
from flux.data.policy.rls.condition import name
from flux.data.policy.rls.token import login_password, scram_verifier
from flux.errors import ConfigError
from flux.store.policies import lock
from flux.store.pool import Connection

LOGIN_TIMEOUT_S = 10.0
SALT_BYTES = 16

_SETTINGS = (
    "SELECT setting.setconfig, database.datname::text AS database FROM pg_catalog.pg_db_role_setting AS setting "
    "JOIN pg_catalog.pg_roles AS role ON role.oid = setting.setrole "
    "LEFT JOIN pg_catalog.pg_database AS database ON database.oid = setting.setdatabase "
    "WHERE role.rolname = $1 ORDER BY 2"
)

_NOT_LET_IN = (
    "The role {} for raw SQL cannot connect ({}). Let it in with its password (pg_hba.conf, the users of a pooler), or "
    "give the URL of a login of your own as sql_url under [database] in flux.toml."
)
# Flux can neither know nor set the password of a role that is not its own.
_OWN_NOT_LET_IN = (
    "The role {} for raw SQL, of sql_url under [database] in flux.toml, cannot connect ({}). Correct the URL, or let "
    "the role in (pg_hba.conf, the users of a pooler); raw SQL can change the password of its role, which ALTER "
    "ROLE ... PASSWORD '...' sets again."
)
_ELSEWHERE = (
    "sql_url under [database] in flux.toml leads to another database than Flux' own, {}: it must name the same server "
    "and database."
)

# A database by that name may be there on another server, too.
_WHERE = (
    "SELECT oid, pg_catalog.pg_postmaster_start_time() FROM pg_catalog.pg_database WHERE datname = current_database()"
)


async def try_login(conn: Connection, url: str, *, own: bool) -> str:
    """Why raw SQL cannot use this URL, "" when it can. `own`: it is the team's (`sql_url`)."""
    try:
        login = await asyncpg.connect(url, timeout=LOGIN_TIMEOUT_S)
        try:
            there = await login.fetchrow(_WHERE)
        finally:
            await login.close()
    # ValueError: what asyncpg says of a port that is no number.
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return (_OWN_NOT_LET_IN if own else _NOT_LET_IN).format(user_of(url), error)
    if own and there != await conn.fetchrow(_WHERE):
        return _ELSEWHERE.format(await conn.fetchval("SELECT current_database()"))
    return ""


async def let_make_roles(superuser: Connection, user: str) -> None:
    """For the embedded server, whose superuser only Flux itself connects as: its ordinary user may make roles."""
    if not await superuser.fetchval("SELECT rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = $1", user):
        await superuser.execute(f"ALTER ROLE {name(user)} CREATEROLE")


def with_user(url: str, user: str, password: str) -> str:
    """The URL with another user and password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))


def user_of(sql_url: str) -> str:
    """The role that the URL names. Raises ConfigError when it names none."""
    user = urlsplit(sql_url).username
    if not user:
        raise ConfigError("database.sql_url: must name a user: postgresql://USER:PASSWORD@HOST/DATABASE")
    return unquote(user)


async def is_harmless(conn: Connection, login: str) -> bool:
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


async def make_roles(conn: Connection, login: str, policies: Policies, key: bytes) -> None:
    existing = {
        row["rolname"]
        for row in await conn.fetch(
            "SELECT rolname FROM pg_catalog.pg_roles WHERE starts_with(rolname::text, $1)", login
        )
    }
    if login not in existing:
        await conn.execute(f"CREATE ROLE {name(login)} LOGIN NOINHERIT")
    await _mend(conn, login, key)
    if not await conn.fetchval("SELECT has_database_privilege($1, current_database(), 'CONNECT')", login):
        database = await conn.fetchval("SELECT current_database()")
        await conn.execute(f"GRANT CONNECT ON DATABASE {name(database)} TO {name(login)}")
    for principal in names.principals(login, policies):
        if principal.name not in existing:
            await conn.execute(f"CREATE ROLE {name(principal.name)} NOLOGIN NOINHERIT")
            await conn.execute(f"GRANT {name(principal.name)} TO {name(login)}")


async def mend(conn: Connection, login: str, key: bytes) -> None:
    """Raw SQL may alter the role that it connects as, which Postgres lets every role do to itself: this takes another
    password and settings that stay back.
    """
    async with conn.transaction():
        await lock(conn)
        await _mend(conn, login, key)


async def settings(conn: Connection, login: str) -> list[list[object]]:
    """What stays SET for the login: [settings, database or None]."""
    return [list(row) for row in await conn.fetch(_SETTINGS, login)]


async def _mend(conn: Connection, login: str, key: bytes) -> None:
    verifier = scram_verifier(login_password(key), secrets.token_bytes(SALT_BYTES))
    await conn.execute(f"ALTER ROLE {name(login)} PASSWORD '{verifier}'")
    for _, database in await settings(conn, login):
        within = f" IN DATABASE {name(str(database))}" if database else ""
        await conn.execute(f"ALTER ROLE {name(login)}{within} RESET ALL")

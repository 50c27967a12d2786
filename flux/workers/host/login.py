"""As whom raw SQL runs.

| project               | connects as                     | a statement of its own is                        |
|-----------------------|---------------------------------|--------------------------------------------------|
| with policies         | the login that Flux made for it | BEGIN and `flux_auth.enter`, statement, COMMIT   |
| without               | the same, with all rights on    | a read as it is, else BEGIN and whose change it  |
|                       | rows, none on schema flux       | is, statement, COMMIT                            |
| ... and sql = "all",  | Flux' own user                  | the same                                         |
| or there is no login  |                                 |                                                  |

Sessions of the login are read-only by default: what looks like a read and writes after all (through a function of the
team's) is refused by Postgres before anything happened, and then done again as a write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flux.data.policy.model import Policies
from flux.data.policy.rls.names import principal_of
from flux.data.policy.rls.token import login_password
from flux.settings.sections import Database
from flux.store.pool import Pool, open_pool
from flux.store.raw_login import with_user

from .free import FreeConnections, Session

if TYPE_CHECKING:
    import asyncpg

# Names are looked up as Flux' own user does: what is set for that role does not hold for another one. Functions that
# write are told by their names, hence those (flux.workers.host.raw_sql.reads).
_QUERY = """
SELECT p.login, p.single, p.whole, p.problem, auth.key AS auth_key, identity.key AS identity_key,
    (SELECT string_agg(quote_ident(name), ', ') FROM unnest(current_schemas(false)) AS name) AS search_path,
    current_setting('TimeZone') AS timezone,
    ARRAY(
        SELECT DISTINCT lower(proname::text) FROM pg_proc
        WHERE provolatile = 'v' AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
        AND pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'flux'::regnamespace)
    ) AS volatile
FROM flux.protection AS p, flux.secret AS auth, flux.secret AS identity
WHERE auth.name = 'auth' AND identity.name = 'identity'
"""

_NOT_YET = "The policies are not in force for raw SQL yet."
_NO_URL = "Raw SQL needs the login of [database] sql_url, which this node does not know."


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """`settings`: what its sessions begin with. The keys sign what they are told (token.py, identity.py)."""

    name: str
    url: str = field(repr=False)
    single: bool
    auth_key: bytes = field(repr=False)
    identity_key: bytes = field(repr=False)
    settings: Mapping[str, str]

    def principal(self, role: str, policies: Policies) -> str:
        """The Postgres role that stands for this role of Flux'."""
        return principal_of(self.name, role, policies, single=self.single)


@dataclass(frozen=True, kw_only=True, slots=True)
class RawSql:
    """`login` None: as Flux' own user, unless there is a `problem`: then not at all, and it says why.

    `volatile`: names of the team's functions that may write, in lower case.
    """

    login: Login | None = None
    problem: str = ""
    volatile: frozenset[str] = frozenset()


async def read_raw_sql(connection: Session, settings: Database, policies: Policies) -> RawSql:
    """How it runs in this database."""
    row = await connection.fetchrow(_QUERY)
    assert row is not None
    volatile = frozenset(row["volatile"])
    usable = row["login"] is not None and not row["problem"]
    if not policies.tables and (settings.sql == "all" or not row["whole"] or not usable):
        return RawSql(volatile=volatile)
    if not usable:
        return RawSql(problem=row["problem"] or _NOT_YET, volatile=volatile)
    if row["single"] and settings.sql_url is None:
        return RawSql(problem=_NO_URL if policies.tables else "", volatile=volatile)
    return RawSql(login=_login(row, settings), volatile=volatile)


def _login(row: asyncpg.Record, settings: Database) -> Login:
    key = bytes(row["auth_key"])
    if row["single"]:
        url = settings.sql_url
    else:
        url = settings.url and with_user(settings.url, row["login"], login_password(key))
    assert url is not None, "the master fills in the embedded server's"
    return Login(
        name=row["login"],
        url=url,
        single=row["single"],
        auth_key=key,
        identity_key=bytes(row["identity_key"]),
        settings={
            "search_path": row["search_path"] or "pg_catalog",
            "TimeZone": row["timezone"],
            "default_transaction_read_only": "on",
            "row_security": "on",  # raw SQL may have set it off for its own role, for good
        },
    )


class LoginConnections:
    """The worker's connections as the login: opened when they are needed, lent like those of Flux' own user."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.free = FreeConnections(pool)
        self.prepared: set[int] = set()

    @staticmethod
    async def open(login: Login, settings: Database) -> LoginConnections:
        return LoginConnections(
            await open_pool(
                login.url,
                settings.pool_size,
                statement_timeout_ms=settings.statement_timeout_ms,
                min_size=0,
                settings=login.settings,
            )
        )

    async def close(self) -> None:
        await self.free.close()
        await self.pool.close()

"""The team's tables as Flux keeps them: policies in force, raw SQL held to them, changes recorded.

    prepare   at start: the embedded server's rights -> triggers -> policy files -> Postgres' own protection
    refresh   protection and triggers again: after migrations, after policies have changed, and when a look at the
              catalogue every CHECK_S finds that anybody did DDL

What a server does not allow is said once, with what would allow it; Flux then serves without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from datetime import UTC, datetime

import asyncpg

from ..config import Settings
from ..data.policy.files import FOLDER
from ..data.schema.introspect import read_fingerprint, read_schema
from ..errors import LocalError
from ..store import embedded, policies, protection, raw_login, row_checks
from ..store.mutations import install, weeks
from ..store.pool import LOST_CONNECTION, Connection, Pool, borrowed
from ..store.protection import Protection

log = logging.getLogger("flux.tables")

# The longest that a table made by hand (psql, another tool) goes without its triggers and its rights for raw SQL.
CHECK_S = 10.0
# Tables that somebody holds a lock on are tried again; at start nothing is served meanwhile.
ATTEMPTS = 3

NO_EVENT_TRIGGERS = (
    "Tables made from now on are recorded after at most %g s, and DDL itself is not: only a superuser may make event "
    "triggers. To have both, run this as one, once: %s"
)
_REFUSED = "Until then ctx.db.sql is refused."
_AS_OWNER = "Until then ctx.db.sql runs as Flux' own user, and can read and write schema flux."


class Tables:
    """One per master. `superuser_url`: of the embedded server, whose superuser only Flux connects as."""

    def __init__(self, settings: Settings, superuser_url: str | None = None) -> None:
        self._settings = settings
        self._superuser_url = superuser_url
        self._seen: int | None = None
        self._let_in = False
        self._kept_out = False
        self._told: set[str] = set()
        self._changed = asyncio.Event()

    async def prepare(self, conn: Connection) -> None:
        """Raises LocalError when a policy file is wrong, or a policy cannot be brought into force."""
        await weeks.ensure_weeks(conn, datetime.now(UTC).date())
        if self._superuser_url is not None:
            await self._record_as_superuser(conn, self._superuser_url)
        else:
            await self._record(conn)
        if not await install.has_event_triggers(conn):
            log.info(NO_EVENT_TRIGGERS, CHECK_S, " ".join(install.EVENT_TRIGGERS.split()))
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._take_over_files(conn)
                break
            except asyncpg.LockNotAvailableError:
                if attempt == ATTEMPTS:
                    raise LocalError(
                        "The policies cannot be brought into force: a table of theirs is locked by another session "
                        "(see pg_stat_activity)."
                    ) from None
        await self._record(conn)  # columns may have been masked
        self._seen = await read_fingerprint(conn)

    async def refresh(self, conn: Connection) -> None:
        """Brings protection and triggers to what tables and policies are now."""
        self._seen = await read_fingerprint(conn)
        await self._record(conn)  # before raw SQL is let at tables that are new
        await self._protect(conn)
        await self._record(conn)  # columns may have been masked

    def changed(self) -> None:
        """Has `watch` look at once."""
        self._changed.set()

    async def watch(self, pool: Pool) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), CHECK_S)
            try:
                async with borrowed(pool) as conn:
                    # Whoever lets the login in does no DDL, and a server that was full for a moment is not for long.
                    if self._changed.is_set() or self._kept_out or await read_fingerprint(conn) != self._seen:
                        self._changed.clear()
                        await self.refresh(conn)
            except LOST_CONNECTION:
                continue
            except (asyncpg.PostgresError, LocalError) as error:
                self._seen = None  # the next look tries again
                self._warn([f"The tables cannot be looked after at the moment: {error}"])

    async def _record_as_superuser(self, conn: Connection, url: str) -> None:
        """Lets Flux' ordinary user make roles, and makes the event triggers before the tables' own."""
        superuser = await asyncpg.connect(url)
        try:
            await raw_login.let_make_roles(superuser, embedded.USER)
            await self._record(conn, superuser)
        finally:
            await superuser.close()

    async def _take_over_files(self, conn: Connection) -> None:
        schema = await read_schema(conn)
        # Together: a policy is in force for raw SQL as soon as for everything else.
        async with conn.transaction():
            told = await policies.apply_files(conn, self._settings.project / FOLDER, schema)
            made, tables = await self._apply(conn)
        for line in told:
            log.info("policies: %s", line)
        await self._tell(conn, made, tables)

    async def _protect(self, conn: Connection) -> None:
        await self._tell(conn, *await self._apply(conn))

    async def _apply(self, conn: Connection) -> tuple[Protection, int]:
        """And for how many tables there are policies."""
        schema = await read_schema(conn)
        for line in await policies.follow_renamed(conn, schema):
            log.info("policies: %s", line)
        loaded = await policies.load(conn, schema)
        self._warn(f"The policy of {table} does not fit: {problem}" for table, problem in loaded.problems.items())
        self._warn(
            f"{table} shows rows of tables with policies and has none of its own: it is denied to all "
            f"(flux policy set {table})"
            for table in sorted(loaded.policies.closed)
        )
        made = await protection.apply(conn, schema, loaded.policies, sql_url=self._settings.database.sql_url)
        self._warn(await row_checks.apply(conn, schema, loaded.policies))
        return made, len(loaded.policies.tables)

    async def _tell(self, conn: Connection, made: Protection, tables: int) -> None:
        problem = made.problem
        if made.login is not None and (made.changed or not self._let_in):
            problem = await self._check_login(conn, made)
        if made.changed and tables:
            log.info("policies: Postgres keeps raw SQL to those of %d table%s", tables, "" if tables == 1 else "s")
        if problem:
            self._warn([f"{problem} {_REFUSED if tables else _AS_OWNER}"])
        if tables:
            self._warn(made.warnings)

    async def _check_login(self, conn: Connection, made: Protection) -> str:
        """Why the login cannot be used: pg_hba.conf, or a pooler, may not let a role in that it does not know."""
        own = self._settings.database.sql_url
        url = own or self._settings.database.url
        assert url is not None
        problem = await raw_login.try_login(conn, made.url(url), own=own is not None)
        if problem and made.login is not None and made.password is not None:
            await raw_login.mend(conn, made.login, made.key)
            problem = await raw_login.try_login(conn, made.url(url), own=False)
        await protection.note_problem(conn, problem)
        if self._kept_out and not problem:
            log.info("The role %s for raw SQL is let in again", made.login)
        self._let_in, self._kept_out = not problem, bool(problem)
        return problem

    async def _record(self, conn: Connection, superuser: Connection | None = None) -> None:
        done = await install.install(conn, unmanaged=self._settings.database.unmanaged, superuser=superuser)
        if done.managed:
            log.info("changes are recorded of: %s", ", ".join(done.managed))
        self._warn(
            f"Changes of {table} are not recorded: {problem} (Flux' user must own the table, or be a member of its "
            "owner's role; or name it in [database] unmanaged)"
            for table, problem in done.problems.items()
        )

    def _warn(self, lines: Iterable[str]) -> None:
        """Says each once, however often it is found."""
        for line in lines:
            if line not in self._told:
                self._told.add(line)
                log.warning("%s", line)

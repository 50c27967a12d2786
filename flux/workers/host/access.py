"""What an execution may do with raw SQL, and how its transactions then begin and end (see `login`)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flux.data.policy.model import Policies
from flux.data.policy.raw_sql import may_use_sql, require_sql
from flux.data.policy.rls.token import ENTER, token
from flux.failure import HostError

from .connection import Source
from .free import Session
from .login import Login, RawSql

if TYPE_CHECKING:
    from .scope import Scope

# A committed SET, or a role that a function of the team's has set, must not meet the next caller.
_CLEANED = "; RESET ALL; RESET ROLE"

# Whose changes the transaction's are, or the session's.
IDENTIFY = "SELECT pg_catalog.set_config('flux.identity', $1, true)"
IDENTIFY_SESSION = "SELECT pg_catalog.set_config('flux.identity', $1, false)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """`login` None: as Flux' own user. `source`: where its connections come from."""

    scope: Scope
    source: Source
    login: Login | None
    policies: Policies
    raw: RawSql

    @property
    def ending(self) -> str:
        """What follows COMMIT in the same message."""
        return _CLEANED if self.protected else ""

    @property
    def protected(self) -> bool:
        """Postgres keeps the transaction to the policies, and must be told who asks."""
        return self.login is not None and bool(self.policies.tables)

    def identity(self, connection: Session, span: int) -> str:
        """The value of flux.identity, as this connection is believed."""
        if self.login is None:
            return self.scope.identity(span)
        return self.scope.identity(span, key=self.login.identity_key, pid=connection.get_server_pid())

    async def begin(self, connection: Session, span: int, statement: str = "BEGIN") -> None:
        """Begins with `statement`, and says who asks."""
        login = self.login
        if login is None:
            await connection.execute(statement)
            return
        # What follows has parameters: pg_stat_activity shows the texts of this login to all its sessions.
        await connection.execute(f"{statement} READ WRITE")
        identity = self.identity(connection, span)
        if not self.protected:
            await connection.execute(IDENTIFY, identity)
            return
        caller = self.scope.caller
        signed = token(caller, pid=connection.get_server_pid(), key=login.auth_key, now=time.time(), identity=identity)
        await connection.execute(ENTER, login.principal(caller.role, self.policies), signed)

    async def begin_as(self, connection: Session, span: int) -> None:
        """The same for one raw statement, whose changes are those of `span` whoever the connection belongs to."""
        await self.begin(connection, span)
        if self.login is None:
            await connection.execute(IDENTIFY, self.identity(connection, span))

    async def identify_session(self, connection: Session, span: int) -> None:
        """For a statement that must not be part of a transaction, on a connection that is reset afterwards."""
        if self.login is not None:
            await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(IDENTIFY_SESSION, self.identity(connection, span))


async def access(scope: Scope) -> Access:
    """How a transaction of this execution runs: as the login if raw SQL may be part of it."""
    return await _access(scope, required=False)


async def require_access(scope: Scope) -> Access:
    """Raises 403 SQL_NOT_GRANTED for a function that may not, SQL_DENIED where raw SQL cannot be kept to policies."""
    return await _access(scope, required=True)


async def _access(scope: Scope, *, required: bool) -> Access:
    services = scope.services
    engine = await services.catalogue.engine(services)
    raw = await services.catalogue.raw_sql(services)
    function, project = scope.spec.db.sql, services.settings.database.sql
    may = may_use_sql(function=function, project=project, policies=engine.policies) and scope.spec.data is None
    if required:
        require_sql(scope.spec.name, function=function, project=project, policies=engine.policies)
        if raw.problem:
            raise HostError("SQL_DENIED", 403, raw.problem)
    login = raw.login if may else None
    source: Source = services if login is None else await services.connections_of(login)
    return Access(scope=scope, source=source, login=login, policies=engine.policies, raw=raw)

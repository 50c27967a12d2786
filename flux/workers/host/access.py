"""What an execution may do with raw SQL, and how its transactions then begin and end (see `login`)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flux.data.policy.model import Policies
from flux.data.policy.raw_sql import may_use_sql, require_sql
from flux.data.policy.rls.token import enter, literal
from flux.failure import HostError

from .connection import Source
from .free import Session
from .login import Login, RawSql

if TYPE_CHECKING:
    from .scope import Scope

# A committed SET, or a role that a function of the team's has set, must not meet the next caller.
_CLEANED = "; RESET ALL; RESET ROLE"


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

    def begin(self, connection: Session, span: int, statement: str = "BEGIN") -> str:
        """`statement` and who asks, as one message without parameters."""
        login = self.login
        if login is None:
            return statement
        identity = self.identity(connection, span)
        if not self.protected:
            return f"{statement} READ WRITE; {_set(identity, local=True)}"
        return enter(
            self.scope.caller,
            principal=login.principal(self.scope.caller.role, self.policies),
            pid=connection.get_server_pid(),
            key=login.auth_key,
            now=time.time(),
            identity=identity,
            begin=f"{statement} READ WRITE",
        )

    def begin_as(self, connection: Session, span: int) -> str:
        """The same for one raw statement, whose changes are those of `span` whoever the connection belongs to."""
        begin = self.begin(connection, span)
        return begin if self.login is not None else f"{begin}; {_set(self.identity(connection, span), local=True)}"

    def session(self, connection: Session, span: int) -> str:
        """For a statement that must not be part of a transaction, on a connection that is reset afterwards."""
        writing = "" if self.login is None else "SET default_transaction_read_only = off; "
        return writing + _set(self.identity(connection, span), local=False)


def _set(identity: str, *, local: bool) -> str:
    return f"SELECT pg_catalog.set_config('flux.identity', {literal(identity)}, {'true' if local else 'false'})"


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

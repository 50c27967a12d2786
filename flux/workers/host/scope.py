"""What the host calls of one worker (`Services`) and of one execution (`Scope`) share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flux.config import Settings
from flux.data.mutation.identity import identity
from flux.data.policy.model import Caller, caller_of
from flux.data.routes.engine import RouteEngines
from flux.failure import HostError
from flux.manifest import FunctionSpec
from flux.record.execution import uuid_text

from .catalogue import Catalogue
from .free import FreeConnections

if TYPE_CHECKING:
    import asyncpg

    from flux.store.wire.lanes import Lanes

    from .login import Login, LoginConnections
    from .outbound import Outbound
    from .transaction import Transaction

# Computations of one worker that run beside its loop: more would take the CPU from the functions, not finish sooner.
MAX_THREADS = 2


@dataclass(slots=True, kw_only=True, eq=False)
class Services:
    """One per worker. `functions` answers all that are live, by name; `nudge` is called after jobs were committed.

    `lanes` take single statements; transactions and raw SQL get a connection of the `pool` for themselves.
    """

    pool: asyncpg.Pool[asyncpg.Record]
    lanes: Lanes
    settings: Settings
    secrets: Mapping[str, str]
    functions: Callable[[], Mapping[str, FunctionSpec]]
    invoke: Callable[[Scope, str, bytes], Awaitable[bytes]]
    nudge: Callable[[], None]
    catalogue: Catalogue = field(default_factory=Catalogue)
    routes: RouteEngines = field(default_factory=RouteEngines)
    # Backends whose connection has its codecs (flux.workers.host.connection).
    prepared: set[int] = field(default_factory=set)
    threads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_THREADS))
    _free: FreeConnections | None = None
    _outbound: Outbound | None = None
    _logins: dict[str, asyncio.Task[LoginConnections]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def free(self) -> FreeConnections:
        """The connections that are lent to host calls."""
        if self._free is None:
            self._free = FreeConnections(self.pool)
        return self._free

    @property
    def outbound(self) -> Outbound:
        """The HTTP client, opened by the first `fetch`: most workers never need it."""
        if self._outbound is None:
            from .outbound import Outbound

            self._outbound = Outbound()
        return self._outbound

    async def connections_of(self, login: Login) -> LoginConnections:
        """The connections of the login for raw SQL, opened by the first use: many workers never need them."""
        # A login of other keys or settings is another one; that happens a few times in a worker's life.
        key = repr((login.url, sorted(login.settings.items())))
        if key not in self._logins:
            from .login import LoginConnections

            self._logins[key] = self.background(LoginConnections.open(login, self.settings.database))
        return await asyncio.shield(self._logins[key])

    def background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs `work` to its end, whatever becomes of the caller; `close` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen by whoever awaits it; nobody need

    async def close(self) -> None:
        """Waits for what runs in the background, closes the HTTP client. Pool and lanes belong to who opened them."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._free is not None:
            await self._free.close()
        for opened in self._logins.values():
            await opened.result().close()
        if self._outbound is not None:
            await self._outbound.close()
            self._outbound = None


@dataclass(slots=True, kw_only=True, eq=False)
class Scope:
    """One per execution. `request_id` is 16 bytes; `traceparent` goes out with every `fetch`.

    `user` is who calls, as `ctx.user` has it; `caller` is how policies see it.
    """

    services: Services
    spec: FunctionSpec
    request_id: bytes
    tenant: str | None = None
    user: Mapping[str, Any] | None = None
    traceparent: str | None = None
    transactions: dict[int, Transaction] = field(default_factory=dict)
    closed: bool = False
    _numbers: int = 0
    _caller: Caller | None = None

    @property
    def caller(self) -> Caller:
        if self._caller is None:
            self._caller = caller_of(self.user, self.tenant, self.spec.db.role)
        return self._caller

    def identity(self, span: int, *, key: bytes | None = None, pid: int | None = None) -> str:
        """Whose mutations those of the host call `span` are. Signed with `key` for the backend `pid` if need be."""
        return identity(
            request_id=uuid_text(self.request_id),
            span=span,
            function=self.spec.name,
            version=self.spec.version,
            actor=self.caller.uid,
            tenant=self.tenant,
            key=key,
            pid=pid,
        )

    def next_transaction(self) -> int:
        self._numbers += 1
        return self._numbers

    def require_open(self) -> None:
        if self.closed:
            raise HostError("EXECUTION_ENDED", 500, "The execution has ended.")

    async def close(self) -> None:
        """Rolls back what is left open and gives the connections back. Idempotent; goes on when it is cancelled."""
        self.closed = True
        if not self.transactions:
            return
        outermost = [entry for entry in self.transactions.values() if entry.outer is None]
        self.transactions.clear()
        work = [self.services.background(entry.abandon()) for entry in outermost if not entry.pinned.released]
        if work:
            await asyncio.shield(asyncio.gather(*work))

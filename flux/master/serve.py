"""`flux serve`, from start to end. Read top to bottom: `run` is the order in which things start and stop.

Signals only set flags. SIGTERM and SIGINT drain (a second one ends at once), SIGHUP builds and replaces the workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import asyncpg
import setproctitle
import uvloop

from .. import collector
from ..build.pipeline import build_project
from ..config import Settings
from ..errors import BuildFailed, FluxError, LocalError
from ..record.seal import seal_key
from ..store import embedded
from ..store.migrate import migrate, migrate_project
from ..store.partitions import ensure_partitions
from ..store.pool import LOST_CONNECTION, Connection, Pool, borrowed, open_pool
from .api.operator import operator_guard, operator_key
from .api.serve import Api
from .api.services import ApiServices
from .dev import Dev
from .folder import DataFolder
from .heads import OPERATOR
from .http.edge import Edge
from .http.front import Front
from .http.mounts import Mounts
from .node import Node
from .recorder import STORE_S
from .recovery import recover
from .status import handlers
from .tables import Tables
from .upkeep import maintain

log = logging.getLogger("flux.master")

POOL_SIZE = 6  # recorder, queue, and a few readers of the API
SECRET_PREFIX = "FLUX_SECRET_"  # noqa: S105  a variable's name, not a secret
KEYS_S = 5.0  # a key revoked on another node is refused here after at most this long


def run(settings: Settings, *, dev: bool = False) -> int:
    """Serves until told to stop; returns the exit code. Raises LocalError when it cannot start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr)
    setproctitle.setproctitle("flux: master starting")
    folder = DataFolder(settings.data)
    folder.acquire()
    try:
        with uvloop_runner() as runner:
            return runner.run(Server(settings, folder, dev=dev).run())
    finally:
        folder.release()


def uvloop_runner() -> asyncio.Runner:
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


class Server:
    """The life of one master."""

    def __init__(self, settings: Settings, folder: DataFolder, *, dev: bool) -> None:
        self.settings = settings
        self.folder = folder
        self.dev = dev
        self.stopping = asyncio.Event()
        self.reloading = asyncio.Event()
        self.embedded = False
        self.tables: Tables
        self.node: Node

    async def run(self) -> int:
        self._catch_signals()
        seal_key(self.settings.data)  # made here, by one, for all workers
        async with self._database() as pool:
            async with pool.acquire() as connection:
                await self._prepare(connection)
                await recover(connection, self.folder.instance(), self.settings.record.body_bytes)
            self.node = Node(
                settings=self.settings,
                secrets=secrets_of(os.environ),
                instance=self.folder.instance(),
                pid=os.getpid(),
                pool=pool,
            )
            recording = asyncio.create_task(self.node.recorder.run())
            try:
                await self._serve()
            finally:
                stored = await self._finish(recording)
        return 0 if stored else 1

    async def _finish(self, recording: asyncio.Task[None]) -> bool:
        """Stores the rest of the record; False when Postgres did not take it."""
        self.node.recorder.stop()
        if not await self.node.recorder.patiently({recording}):
            recording.cancel()
            log.error("Postgres does not take the rest of the record; it stays in shared memory until the next start")
            return False
        await recording
        self.node.refusals.close()
        return True

    async def _serve(self) -> None:
        await self.node.deploy(await build_project(self.settings))
        await self.node.load_keys()
        try:
            await self.node.supervisor.start(self.node.manifest.to_json())
            cut = await self._serve_until_told()
        finally:
            await self.node.supervisor.stop()
        log.info("stopped%s", f"; {cut} connections were cut" if cut else "")

    async def _serve_until_told(self) -> int:
        """Returns the number of connections that did not end in time."""
        node = self.node
        edge = self._edge()
        host, port = await edge.start(self.settings.server.host, self.settings.server.port)
        queue = asyncio.create_task(node.queue.run())
        chores = [asyncio.create_task(work) for work in self._chores()]
        if self.dev:
            chores.append(asyncio.create_task(Dev(self.settings, node).run()))
        self.folder.announce(f"http://{host}:{port}")
        setproctitle.setproctitle(f"flux: master :{port}")
        self._greet(host, port)
        collector.settle()
        await self.stopping.wait()
        log.info("draining: no new requests; those in flight have %g s", self.settings.server.drain_s)
        node.draining = True
        node.queue.stop()
        cut = await edge.drain(self.settings.server.drain_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(queue, self.settings.server.drain_s)
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        return cut

    @asynccontextmanager
    async def _database(self) -> AsyncGenerator[Pool]:
        server: embedded.Embedded | None = None
        if self.settings.database.url is None:
            self.embedded = True
            server = await asyncio.to_thread(embedded.start, self.settings.data / "postgres")
            database = dataclasses.replace(self.settings.database, url=server.url)
            self.settings = dataclasses.replace(self.settings, database=database)
        self.tables = Tables(self.settings, server.superuser_url if server else None)
        url = self.settings.database.url
        assert url is not None
        try:
            try:
                pool = await open_pool(url, POOL_SIZE, statement_timeout_ms=0, application_name="flux master")
            except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:  # no port's number
                raise LocalError(f"Cannot connect to Postgres: {error}. Check DATABASE_URL.") from None
            try:
                yield pool
            finally:
                await _close(pool)
        finally:
            if server is not None:
                await asyncio.to_thread(server.stop)

    def _chores(self) -> Iterator[Coroutine[None, None, None]]:
        """What goes on beside serving, each until it is cancelled."""
        yield maintain(self.node.pool, self.settings.record)
        yield self._refresh_keys()
        yield self._reload()
        yield self.tables.watch(self.node.pool)

    async def _prepare(self, connection: Connection) -> None:
        for name in await migrate(connection):
            log.info("schema flux: applied %s", name)
        for name in await migrate_project(connection, self.settings.project / "migrations"):
            log.info("project: applied %s", name)
        await ensure_partitions(connection, datetime.now(UTC).date())
        await self.tables.prepare(connection)

    def _edge(self) -> Edge:
        front = Front(
            settings=self.settings,
            gateway=self.node.gateway,
            dispatch=self.node.dispatch,
            refused=self.node.refused,
            mounts=self._mounts(),
            metrics=self.node.metrics,
        )
        return Edge(self.settings, front)

    def _mounts(self) -> Mounts:
        node = self.node
        services = ApiServices(
            pool=node.pool,
            manifest=lambda: node.manifest,
            invoke=partial(node.invoke, user=OPERATOR),
            rehearse=node.rehearse,
            replay=node.replay,
            flush=node.recorder.flush,
            keys_changed=node.gateway.set_keys,
            live=node.live,
            policies_changed=self.tables.changed,
            tables_changed=self._tables_changed,
            sql_url=self.settings.database.sql_url,
        )
        guard = operator_guard(operator_key(self.settings.data))
        return Mounts(exact=handlers(node), api=Api(services).mount(guard))

    async def _tables_changed(self) -> None:
        async with borrowed(self.node.pool) as connection:
            await self.tables.refresh(connection)

    async def _refresh_keys(self) -> None:
        while True:
            await asyncio.sleep(KEYS_S)
            with contextlib.suppress(*LOST_CONNECTION):
                await self.node.load_keys()

    async def _reload(self) -> None:
        """SIGHUP: what is on disk now goes live, in new workers, without a dropped request."""
        while True:
            await self.reloading.wait()
            self.reloading.clear()
            log.info("reloading")
            try:
                await self.node.deploy(await build_project(self.settings))
            except (BuildFailed, FluxError) as error:
                log.error("the running functions stay: %s", error.message)
            await self.node.supervisor.reload()
            log.info("reloaded: %d functions", len(self.node.manifest.functions))

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self.reloading.set)

    def _told_to_stop(self) -> None:
        if self.stopping.is_set():
            log.warning("told twice: ending at once; the record is recovered at the next start")
            os._exit(1)
        self.stopping.set()

    def _greet(self, host: str, port: int) -> None:
        functions = self.node.manifest.functions
        where = "embedded PostgreSQL" if self.embedded else "your Postgres"
        log.info(
            "Flux serves %s on http://%s:%d with %s (%s)",
            counted(len(functions), "function"),
            host,
            port,
            counted(self.settings.server.workers, "worker"),
            where,
        )
        for spec in functions.values():
            for route in spec.routes:
                log.info("  %-6s %s", route.method, route.path)


async def _close(pool: Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), STORE_S)
    except TimeoutError:  # connections to a server that does not answer
        pool.terminate()


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def secrets_of(env: Mapping[str, str]) -> dict[str, str]:
    """Secrets come from the environment: FLUX_SECRET_STRIPE_KEY is `await ctx.secrets.get("STRIPE_KEY")`."""
    return {name.removeprefix(SECRET_PREFIX): value for name, value in env.items() if name.startswith(SECRET_PREFIX)}

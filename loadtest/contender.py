"""Who takes part: how each contender is started, and how what it recorded is counted."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import asyncpg

from .processes import Tree, free_port
from .records import Records
from .scenario import NAMES, Name, TraceReads

PACKAGE = __package__ or "loadtest"
ROOT = Path(__file__).resolve().parent
PROJECT = ROOT / "project"

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory, not a temporary file

# A job that is not due within the run is durable, but not consumed in the measured time.
FAR_AWAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where one contender runs: its own folder, database and port. What only Flux heeds: how many workers, whether
    queued jobs are due at once (`consume`), and the folder of its functions (`project`)."""

    folder: Path
    database: str
    port: int
    workers: int
    consume: bool
    project: Path


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One stack. `command` and `env` say how it is started on a site; `prepare` lays out its folder and database."""

    name: str
    title: str
    processes: str
    command: Callable[[Site], list[str]]
    env: Callable[[Site], dict[str, str]] = field(default=lambda _site: {})
    prepare: Callable[[Site], None] = field(default=lambda _site: None)
    schema: Path | None = None
    ready: str = "/"
    scenarios: tuple[Name, ...] = NAMES
    records: Records | None = None
    traces: Callable[[Site], TraceReads | None] = field(default=lambda _site: None)

    async def start(self, site: Site) -> Tree:
        """Starts it on `site`; raises ContenderFailed."""
        self.prepare(site)
        if self.schema is not None:
            connection = await asyncpg.connect(site.database)
            try:
                await connection.execute(self.schema.read_text())
            finally:
                await connection.close()
        return await self.restart(site)

    async def restart(self, site: Site) -> Tree:
        """Starts it again on what an earlier start left behind."""
        env = {
            **os.environ,
            # The baselines are modules of this package, wherever it is installed.
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT.parent), os.environ.get("PYTHONPATH", "")))),
            "DATABASE_URL": site.database,
            # Flux notes there which projects are served; a load test is none of the user's.
            "XDG_STATE_HOME": str(site.folder / "state"),
            **self.env(site),
        }
        return await Tree.start(
            self.command(site), port=site.port, ready=self.ready, folder=site.folder, env=env,
            log=site.folder / "log.txt",
        )  # fmt: skip


@contextmanager
def site(
    folder: Path, database: str, *, workers: int = 1, consume: bool = False, project: Path | None = None
) -> Iterator[Site]:
    """A site in `folder` (made here) on a free port, for as long as the block lasts."""
    folder.mkdir(parents=True)
    place = Site(
        folder=folder, database=database, port=free_port(), workers=workers, consume=consume, project=project or PROJECT
    )
    try:
        yield place
    finally:
        _sweep(place)


def _sweep(site: Site) -> None:
    """Frees the rings of a Flux that was killed: its data folder goes now, so no later start will recover them."""
    instance = site.folder / "data/instance"
    if instance.exists():
        for segment in SHARED_MEMORY.glob(f"flux-{instance.read_text().strip()}-*"):
            segment.unlink(missing_ok=True)


AIOHTTP = Contender(
    name="aiohttp",
    title="aiohttp, bare",
    processes="1",
    scenarios=("hello",),
    command=lambda site: [sys.executable, "-m", f"{PACKAGE}.baselines.aiohttp_app", "--port", str(site.port)],
)

OTEL = Contender(
    name="otel",
    title="FastAPI + OpenTelemetry",
    processes="2",
    schema=ROOT / "baselines/schema.sql",
    command=lambda site: [
        sys.executable, "-m", "uvicorn", f"{PACKAGE}.baselines.fastapi_app:app", "--port", str(site.port),
        "--workers", "2", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
    ],
    records=Records(
        count="SELECT count(*) FROM spans WHERE parent_id IS NULL AND started_at >= $1",
        whole=(
            "SELECT count(*) FROM (SELECT FROM spans WHERE trace_id = ANY($1::text[]::uuid[])"
            " GROUP BY trace_id HAVING count(*) >= $2)"
        ),
        spans={"hello": 1, "create_user": 4, "bad_input": 1},
    ),
    traces=lambda _site: TraceReads(path="/traces/{id}"),
)  # fmt: skip


def _flux(name: str, title: str, mode: Literal["strict", "off"]) -> Contender:
    return Contender(
        name=name,
        title=title,
        processes="1 + workers",
        ready="/readiness",
        prepare=_lay_out,
        env=lambda _site: {"FLUX_RECORD_MODE": mode},
        command=lambda site: [
            str(Path(sys.executable).with_name("flux")), "serve", "--functions", str(site.folder / "functions"),
            "--data", str(site.folder / "data"), "--host", "127.0.0.1", "--port", str(site.port),
            "--workers", str(site.workers), "--database", site.database,
        ],
        records=None if mode == "off" else Records(
            count="SELECT count(*) FROM flux.executions WHERE kind = 'http' AND started_at >= $1",
            whole=(
                "SELECT count(*) FROM flux.executions WHERE request_id = ANY($1::text[]::uuid[])"
                " AND json_array_length(spans::json) >= $2"
            ),
            spans={"hello": 2, "create_user": 5, "bad_input": 2},
        ),
        traces=lambda _site: None if mode == "off" else _operator_reads(_site),
    )  # fmt: skip


def _lay_out(site: Site) -> None:
    """A copy of the project, so that its settings are this run's and nothing is written into the source tree."""
    shutil.copytree(site.project, site.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".flux"))
    settings = site.folder / "flux.toml"
    if site.consume and settings.exists():
        settings.write_text(settings.read_text().replace(str(FAR_AWAY_MS), "0"))


def _operator_reads(site: Site) -> TraceReads:
    key = (site.folder / "data/operator.key").read_text().strip()
    return TraceReads(path="/flux/api/executions/{id}", headers=(("authorization", f"Bearer {key}"),))


FLUX = _flux("flux", "Flux, recording on", "strict")
FLUX_OFF = _flux("flux-off", "Flux, recording off", "off")

ALL = (AIOHTTP, OTEL, FLUX, FLUX_OFF)
BY_NAME = {contender.name: contender for contender in ALL}

"""policed      a server of projects/policies, on a Postgres that lets Flux make roles"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from flux.data.policy.rls.names import login_name
from flux.store.raw_login import let_make_roles
from tests.fixtures.postgres import Server
from tests.fixtures.server import Client, Serve

from .projects import copy_of


@pytest.fixture
async def roles(postgres: Server, database_url: str) -> AsyncIterator[None]:
    """Flux may make roles; those that it makes for this database are gone afterwards."""
    inside = await asyncpg.connect(database_url.replace("//flux@", "//postgres@"))
    await let_make_roles(inside, "flux")
    yield
    login = login_name(await inside.fetchval("SELECT current_database()"))
    for row in await inside.fetch("SELECT rolname FROM pg_roles WHERE starts_with(rolname::text, $1)", login):
        await inside.execute(f'DROP OWNED BY "{row[0]}"; DROP ROLE "{row[0]}"')
    await inside.close()


@pytest.fixture
async def policed(roles: None, serve: Serve, tmp_path: Path) -> AsyncIterator[Client]:
    client = await serve(copy_of("policies", tmp_path))
    yield client
    # Before the roles go: its sessions are theirs.
    await client.server.stop()

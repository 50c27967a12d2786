from __future__ import annotations

import hashlib

from flux.manifest import FunctionSpec, Limits, Route
from flux.store import keys, versions
from flux.store.pool import Connection


async def test_key_is_created_found_and_revoked(connection: Connection) -> None:
    key, text = await keys.create(connection, "ci", "acme")
    other, _ = await keys.create(connection, "ops", role="admin")
    assert (key.role, other.role) == ("authenticated", "admin")
    loaded = await keys.load(connection)
    assert loaded == [key, other]
    assert other.tenant is None
    secret = text.removeprefix(f"flux_{key.id}_")
    assert hashlib.sha256(secret.encode()).digest() == key.secret_sha256
    assert text.split("_")[2] not in str(await connection.fetch("SELECT t::text FROM flux.api_keys t"))

    assert await keys.revoke(connection, key.id) is True
    assert await keys.revoke(connection, key.id) is False
    assert await keys.revoke(connection, "nobody01") is False
    assert await keys.load(connection) == [other]


async def test_versions(connection: Connection) -> None:
    spec = FunctionSpec(
        name="create_user",
        version="ab" * 32,
        source="functions/create_user.ts",
        routes=(Route(method="POST", path="/create_user"),),
        limits=Limits(cpu_ms=17),
        allow_http=("internal:8080",),
    )
    twin = FunctionSpec(name="twin", version=spec.version, source="functions/twin.ts", routes=())
    await versions.save(connection, [spec])
    await versions.save(connection, [spec, twin])
    assert await versions.get(connection, spec.version) == spec
    assert await versions.get(connection, spec.version, "twin") == twin
    assert await versions.get(connection, "cd" * 32) is None
    await versions.save(connection, [])

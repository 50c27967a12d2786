"""A server whose project has policies, and callers of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.fixtures.server import FLUX, Client


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody with an API key. `uid` is what policies know them by."""

    client: Client
    uid: str
    key: str

    async def call(self, function: str, body: Any) -> tuple[int, Any, str]:
        """(status, answer, request ID)."""
        return await self.client.post(f"/{function}", body, {"x-api-key": self.key})

    async def query(self, **query: Any) -> Any:
        """What the engine answers, or the code of its error."""
        status, answer, _ = await self.call("engine", query)
        return answer if status == 200 else answer["error"]["code"]

    async def raw(self, *statements: tuple[Any, ...]) -> list[Any]:
        """What each raw statement (text, parameters) answers, or the code of its error."""
        status, answer, _ = await self.call("raw", {"statements": statements})
        assert status == 200, answer
        return list(answer)


async def caller(client: Client, name: str, role: str, tenant: str = "acme") -> Caller:
    status, made = await client.api("POST", "/keys", {"name": name, "role": role, "tenant": tenant})
    assert status == 201, made
    return Caller(client=client, uid=made["id"], key=made["key"])


async def flux(client: Client, *arguments: str) -> tuple[int, str]:
    """A command against the server: exit code, and all that it says."""
    process = await asyncio.create_subprocess_exec(
        FLUX,
        *arguments,
        *("--url", client.server.url, "--data", client.server.data),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()

"""The HTTP clients of a worker: one that connects to public addresses only, one for the hosts that the project allows.

Two, because connections are kept alive: one made for a function that may reach a private host must never serve another.
The guarded client checks addresses in its resolver, whose answer is what the connector connects to: a name that
resolves to something else a moment later (DNS rebinding) finds no gap. Addresses written as such pass by any resolver
and are checked by the caller, `require_public`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

import flux
from flux.failure import HostError

from .address import literal, refusal

# Sockets of one worker, kept-alive ones included: as many as an execution may have calls in flight.
MAX_CONNECTIONS = 256
KEEP_ALIVE_S = 15.0
CONNECT_TIMEOUT_S = 5.0  # a host that does not answer a SYN for so long is down; the whole call may take longer
MAX_HEADER_BYTES = 64 * 1024


def refused(host: str, reason: str) -> HostError:
    return HostError(
        "OUTBOUND_REFUSED",
        403,
        f'"{host}" is a {reason} address; allow it with allow_http in flux.json or outbound.allow_hosts in flux.toml.',
        {"host": host, "reason": reason},
    )


def require_public(host: str) -> None:
    """Raises 403 OUTBOUND_REFUSED when `host` is itself an address that must not be reached."""
    address = literal(host)
    reason = refusal(address) if address is not None else None
    if reason is not None:
        raise refused(host, reason)


class PublicResolver(AbstractResolver):
    """Answers the public addresses of a name. Raises 403 OUTBOUND_REFUSED when it has only others."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        public = []
        reason = "private"
        for entry in found:
            address = literal(entry["host"])
            why = refusal(address) if address is not None else "unknown"
            if why is None:
                public.append(entry)
            else:
                reason = why
        if found and not public:
            raise refused(host, reason)
        return public

    async def close(self) -> None:
        await self._inner.close()


class Outbound:
    """Opens its clients when they are first needed. `resolver` makes the resolver that both build on."""

    def __init__(self, resolver: type[AbstractResolver] = aiohttp.ThreadedResolver) -> None:
        self._resolver = resolver
        self._clients: dict[bool, aiohttp.ClientSession] = {}

    def client(self, *, trusted: bool) -> aiohttp.ClientSession:
        """`trusted`: the host is on an allow list, its addresses are not checked."""
        found = self._clients.get(trusted)
        if found is None:
            found = self._clients[trusted] = self._open(trusted)
        return found

    async def close(self) -> None:
        clients = list(self._clients.values())
        self._clients.clear()
        await asyncio.gather(*(client.close() for client in clients))

    def _open(self, trusted: bool) -> aiohttp.ClientSession:
        resolver: AbstractResolver = self._resolver()
        arguments: dict[str, Any] = {"resolver": resolver if trusted else PublicResolver(resolver)}
        connector = aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS,
            keepalive_timeout=KEEP_ALIVE_S,
            use_dns_cache=False,  # connections are kept; a cache of names would only be another thing to go stale
            **arguments,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"flux/{flux.__version__}"},
            skip_auto_headers=("Content-Type",),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            trust_env=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )

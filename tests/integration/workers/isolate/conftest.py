"""Isolates that are closed when the test ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from .harness import Host, Service, nothing

Open = Callable[..., Awaitable[Service]]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """`await opened(bundle, host, limits=...)` gives a Service whose module has loaded."""
    services: list[Service] = []

    async def open_service(bundle: str, host: Host = nothing, **options: Any) -> Service:
        service = Service(bundle, host, **options)
        services.append(service)
        await service.isolate.ready()
        return service

    yield open_service
    for service in services:
        service.isolate.close()

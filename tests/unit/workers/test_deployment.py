"""Which functions a worker knows, and which of them it opens ahead."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from flux.errors import NotFound
from flux.manifest import DataRoute, FunctionSpec, Manifest
from flux.workers.deployment import PREWARMED, Deployment
from flux.workers.isolates import Isolates
from flux.workers.tasks import Tasks


class FakeIsolates:
    """Says what it was asked for; there is no bundle for what is `missing`."""

    def __init__(self) -> None:
        self.kept: frozenset[str] = frozenset()
        self.opened: list[str] = []
        self.missing: set[str] = set()

    def keep(self, versions: frozenset[str]) -> None:
        self.kept = versions

    async def open(self, spec: FunctionSpec, *, deployed: bool = True) -> None:
        if spec.name in self.missing:
            raise NotFound(f"no build {spec.version}")
        self.opened.append(spec.name)


class Deployed:
    """A deployment whose isolates are played."""

    def __init__(self) -> None:
        self.isolates = FakeIsolates()
        self.tasks = Tasks(asyncio.get_running_loop(), lambda: None)
        self.deployment = Deployment(cast(Isolates, self.isolates), self.tasks)

    async def deploy(self, *functions: FunctionSpec) -> None:
        self.deployment.deploy(Manifest(functions={spec.name: spec for spec in functions}))
        while len(self.tasks):
            await asyncio.sleep(0)


def function(name: str, version: str, data: DataRoute | None = None) -> FunctionSpec:
    return FunctionSpec(name=name, version=version, source=f"{name}.ts", routes=(), data=data)


async def test_the_versions_before_stay_known_until_the_next_but_one() -> None:
    served = Deployed()
    await served.deploy(function("f", "1"), function("g", "1g"))
    await served.deploy(function("f", "2"))
    assert set(served.deployment.live) == {"f"}
    assert set(served.deployment.specs) == {("f", "1"), ("g", "1g"), ("f", "2")}
    assert served.isolates.kept == {"2"}
    await served.deploy(function("f", "3"))
    assert set(served.deployment.specs) == {("f", "2"), ("f", "3")}


async def test_isolates_open_ahead_but_not_for_all_and_not_for_data_routes() -> None:
    served = Deployed()
    route = DataRoute(table="users", path="/users", methods=("GET",), operations=("select",))
    await served.deploy(function("users", "r", route), *(function(f"f{n}", str(n)) for n in range(PREWARMED + 1)))
    assert served.isolates.opened == [f"f{n}" for n in range(PREWARMED)]


async def test_a_function_that_does_not_start_is_told_and_costs_the_others_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    served = Deployed()
    served.isolates.missing.add("broken")
    await served.deploy(function("broken", "1"), function("well", "2"))
    assert served.isolates.opened == ["well"]
    assert "function broken does not start" in caplog.text

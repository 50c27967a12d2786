from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from flux.build import build_functions
from flux.build.watch import touched, watch

from .conftest import Workbench

# Far above what it takes (tens of ms); only a failing test waits this long.
PATIENCE_S = 10


@asynccontextmanager
async def watching(workbench: Workbench) -> AsyncIterator[asyncio.Queue[frozenset[str]]]:
    seen: asyncio.Queue[frozenset[str]] = asyncio.Queue()
    stop = asyncio.Event()

    async def collect() -> None:
        async for names in watch(workbench.project, stop):
            seen.put_nowait(names)

    task = asyncio.create_task(collect())
    try:
        # The watch is on when the first change is seen: no other sign of it is given.
        for number in itertools.count():
            workbench.write({"functions/ready.ts": f"export default () => {number};\n"})
            with suppress(TimeoutError):
                await asyncio.wait_for(seen.get(), timeout=0.2)
                break
        yield seen
    finally:
        stop.set()
        await task


async def following(seen: asyncio.Queue[frozenset[str]], name: str) -> frozenset[str]:
    """The next names with this one among them; late news of `ready` are passed over."""
    async with asyncio.timeout(PATIENCE_S):
        while name not in (names := await seen.get()):
            pass
    return names


async def test_changes_are_seen(workbench: Workbench) -> None:
    workbench.write(
        {
            "functions/a.ts": 'import { n } from "../lib/n.ts";\nexport default () => n;\n',
            "functions/b.ts": "export default () => 1;\n",
            "lib/n.ts": "export const n = 1;\n",
        }
    )
    await build_functions(workbench.project, check=False)
    async with watching(workbench) as seen:
        workbench.write({"functions/b.ts": "export default () => 2;\n"})
        assert await following(seen, "b") - {"ready"} == {"b"}
        workbench.write({"lib/n.ts": "export const n = 2;\n"})
        assert await following(seen, "a") - {"ready"} == {"a"}
        (workbench.project.functions / "b.ts").unlink()
        assert await following(seen, "b") == {"b"}


async def test_which_functions_a_file_touches(workbench: Workbench) -> None:
    workbench.write(
        {
            "functions/a/index.ts": 'import { n } from "../../lib/n.ts";\nexport default () => n;\n',
            "functions/b.ts": "export default () => 1;\n",
            "lib/n.ts": "export const n = 1;\n",
        }
    )
    project = workbench.project
    await build_functions(project, check=False)

    def of(*names: str) -> frozenset[str]:
        return touched(project, [project.folder / name for name in names])

    assert of("functions/b.ts") == {"b"}
    assert of("functions/a/flux.json") == {"a"}
    assert of("functions/new.ts") == {"new"}
    assert of("functions/README.md") == set()
    assert of("functions/_x.ts", "functions/lib/x.ts", "docs/x.md") == set()
    assert of("lib/n.ts") == {"a"}
    assert of("lib/n.ts", "functions/b.ts") == {"a", "b"}
    assert of("package.json") == {"a", "b"}
    assert of("flux.toml") == {"a", "b"}

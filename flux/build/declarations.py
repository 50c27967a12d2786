"""Makes what is generated of the SDK:  python -m flux.build.declarations

sdk/query.ts, the types of queries, out of the declarations of the query format; then sdk/flux.d.ts, the types for
editors, out of sdk/flux.ts and what that imports.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from flux.build.deno import Deno
from flux.build.diagnostics import failed, parse
from flux.build.sdk import QUERY_TYPES, TYPES, sdk_folder
from flux.data.query.typescript import typescript

HEADER = "// Generated from flux.ts by `python -m flux.build.declarations`; do not edit.\n\n"


async def query_types() -> str:
    """The text of query.ts, formatted."""
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / QUERY_TYPES
        file.write_text(typescript(), "utf-8")
        await _run(Deno(Path(made)), "fmt", ["--no-config", "--line-width=120", str(file)])
        return file.read_text("utf-8")


async def declarations() -> str:
    """The text of flux.d.ts. Raises BuildFailed when flux.ts does not compile."""
    folder = sdk_folder()
    with tempfile.TemporaryDirectory() as made:
        tool = Deno(Path(made))
        arguments = ["--no-config", "--declaration", f"--outdir={made}", str(folder / "flux.ts")]
        for command, rest in (("bundle", arguments), ("fmt", ["--no-config", "--line-width=120", f"{made}/{TYPES}"])):
            await _run(tool, command, rest)
        return HEADER + (Path(made) / TYPES).read_text("utf-8")


async def _run(tool: Deno, command: str, arguments: list[str]) -> None:
    finished = await tool.run(command, arguments)
    if not finished.ok:
        raise failed(parse(finished.stderr, str))


if __name__ == "__main__":
    (sdk_folder() / QUERY_TYPES).write_text(asyncio.run(query_types()), "utf-8")
    (sdk_folder() / TYPES).write_text(asyncio.run(declarations()), "utf-8")

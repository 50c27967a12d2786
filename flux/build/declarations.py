"""Makes sdk/flux.d.ts, the types for editors, out of sdk/flux.ts:  python -m flux.build.declarations"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from flux.build.deno import Deno
from flux.build.diagnostics import failed, parse
from flux.build.sdk import TYPES, sdk_folder

HEADER = "// Generated from flux.ts by `python -m flux.build.declarations`; do not edit.\n\n"


async def declarations() -> str:
    """The text of flux.d.ts. Raises BuildFailed when flux.ts does not compile."""
    folder = sdk_folder()
    with tempfile.TemporaryDirectory() as made:
        tool = Deno(Path(made))
        arguments = ["--no-config", "--declaration", f"--outdir={made}", str(folder / "flux.ts")]
        for command, rest in (("bundle", arguments), ("fmt", ["--no-config", "--line-width=120", f"{made}/{TYPES}"])):
            finished = await tool.run(command, rest)
            if not finished.ok:
                raise failed(parse(finished.stderr, str))
        return HEADER + (Path(made) / TYPES).read_text("utf-8")


if __name__ == "__main__":
    (sdk_folder() / TYPES).write_text(asyncio.run(declarations()), "utf-8")

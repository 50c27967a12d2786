"""The TypeScript types accept queries and refuse mistakes, as the compiler sees it."""

from __future__ import annotations

import shutil
from pathlib import Path

from flux.build.deno import Deno
from flux.data.query.typescript import typescript

USE = Path(__file__).with_name("use.ts")


async def test_the_types_check_queries(tmp_path: Path) -> None:
    (tmp_path / "query.ts").write_text(typescript(), encoding="utf-8")
    shutil.copy(USE, tmp_path)
    finished = await Deno(tmp_path).run("check", ["--no-config", "use.ts"])
    assert finished.ok, finished.stderr

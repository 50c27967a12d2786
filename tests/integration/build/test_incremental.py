"""What is built again after which change, and what is not."""

from __future__ import annotations

import shutil
from dataclasses import replace

from flux.build import build_functions, check_project

from .conftest import Workbench

FILES = {
    "functions/a.ts": 'import { label } from "../lib/label.ts";\nexport default () => label;\n',
    "functions/b.ts": "export default () => 'b';\n",
    "lib/label.ts": 'export * from "./inner.ts";\n',
    "lib/inner.ts": 'import type { Label } from "./types.ts";\nexport const label: Label = "one";\n',
    "lib/types.ts": "export type Label = string;\n",
}


async def built(workbench: Workbench) -> set[str]:
    outcome = await build_functions(workbench.project)
    assert outcome.errors == ()
    return set(outcome.built)


async def test_nothing_changed(workbench: Workbench) -> None:
    workbench.write(FILES)
    first = await build_functions(workbench.project)
    assert first.built == {"a", "b"}
    second = await build_functions(workbench.project)
    assert second.built == set()
    assert second.manifest == first.manifest


async def test_only_what_uses_the_changed_file(workbench: Workbench) -> None:
    workbench.write(FILES)
    before = (await build_functions(workbench.project)).manifest.functions
    # A file that the bundle names nowhere (it only passes on) counts as well, and so does one with types alone.
    for path, text in (
        ("lib/inner.ts", 'export const label: string = "two";\n'),
        ("lib/label.ts", 'export const label: string = "three";\n'),
    ):
        workbench.write({path: text})
        assert await built(workbench) == {"a"}
    after = (await build_functions(workbench.project)).manifest.functions
    assert after["a"].version != before["a"].version
    assert after["b"].version == before["b"].version


async def test_types_alone(workbench: Workbench) -> None:
    workbench.write(FILES)
    before = (await build_functions(workbench.project)).manifest
    workbench.write({"lib/types.ts": "export type Label = number;\n"})
    outcome = await build_functions(workbench.project)
    assert [error.file for error in outcome.errors] == ["lib/inner.ts"]
    workbench.write({"lib/types.ts": 'export type Label = "one" | "two";\n'})
    outcome = await build_functions(workbench.project)
    assert (outcome.errors, outcome.manifest) == ((), before)


async def test_a_changed_setting_of_the_build(workbench: Workbench) -> None:
    workbench.write(FILES)
    first = await build_functions(workbench.project)
    changed = await build_functions(replace(workbench.project, env={"A": "1"}))
    assert changed.built == {"a", "b"}
    assert changed.manifest.functions["a"].version != first.manifest.functions["a"].version
    workbench.write({"tsconfig.json": '{"compilerOptions": {"strict": true}}'})
    assert await built(workbench) == {"a", "b"}


async def test_options_need_no_build(workbench: Workbench) -> None:
    workbench.write({"functions/a/index.ts": "export default () => 1;\n"})
    await built(workbench)
    workbench.write({"functions/a/flux.json": '{"route": "GET /a"}'})
    outcome = await build_functions(workbench.project)
    assert outcome.built == set()
    assert outcome.manifest.functions["a"].routes[0].method == "GET"


async def test_a_function_that_moved_into_a_folder(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": "export default () => 1;\n"})
    await built(workbench)
    (workbench.project.functions / "a.ts").unlink()
    workbench.write({"functions/a/index.ts": "export default () => 2;\n"})
    assert await built(workbench) == {"a"}


async def test_a_function_that_is_gone(workbench: Workbench) -> None:
    workbench.write(FILES)
    await built(workbench)
    (workbench.project.functions / "b.ts").unlink()
    assert sorted((await build_functions(workbench.project)).manifest.functions) == ["a"]


async def test_a_store_that_lost_a_build(workbench: Workbench) -> None:
    workbench.write(FILES)
    version = (await build_functions(workbench.project)).manifest.functions["b"].version
    shutil.rmtree(workbench.project.builds / version)
    assert await built(workbench) == {"b"}


async def test_a_torn_cache_entry_costs_a_build_and_nothing_else(workbench: Workbench) -> None:
    workbench.write(FILES)
    await built(workbench)
    (entry,) = (workbench.project.builds / ".inputs").glob("b.json")
    entry.write_text(entry.read_text()[:20])
    assert await built(workbench) == {"b"}


async def test_check_after_the_swap(workbench: Workbench) -> None:
    workbench.write(FILES)
    assert (await build_functions(workbench.project, check=False)).built == {"a", "b"}
    await check_project(workbench.project)
    assert await built(workbench) == set()

"""A thrown error in line N of the source is told to be in line N."""

from __future__ import annotations

import json

import pytest

from flux.build import build_project
from flux.build.sourcemap import frames, map_of, map_stack, origin
from flux.workers.isolate.isolate import ModuleFailed

from .conftest import Workbench
from .running import Request, run, stack

LINES = 40


THROWING = 'export default (n: number) => { const s = "😀ü"; if (n) throw new Error(s); };'
# Columns count UTF-16 units: the emoji takes two.
THROW_COLUMN = len(THROWING[: THROWING.index("new Error")].encode("utf-16-le")) // 2 + 1


def source(thrown_in: int) -> str:
    """A function of LINES lines, with types, comments and blank lines that the bundle does not have."""
    filler = ["// a comment", "", "interface Unused { a: number }", "type Alias = string | undefined;"]
    lines = [filler[number % len(filler)].replace("Unused", f"U{number}") for number in range(LINES)]
    lines = [line.replace("Alias", f"Alias{number}") for number, line in enumerate(lines)]
    lines[thrown_in - 1] = THROWING
    return "\n".join(lines)


async def mapped(workbench: Workbench, version: str, expression: str) -> str:
    return map_stack(await stack(workbench.bundle(version), expression), map_of(workbench.project.builds, version))


async def test_exact_lines(workbench: Workbench) -> None:
    wanted = {f"f{line}": line for line in (1, 2, 17, LINES)}
    workbench.write({f"functions/{name}.ts": source(line) for name, line in wanted.items()})
    manifest = await build_project(workbench.project, check=False)
    for name, line in wanted.items():
        version = manifest.functions[name].version
        found = origin(frames(await mapped(workbench, version, "module.default(1)")))
        assert found is not None
        assert found.location == f"{name}.ts:{line}"
        assert found.column == THROW_COLUMN
        text = map_of(workbench.project.builds, version).source_line(found)
        assert text == source(line).splitlines()[line - 1]


async def test_a_stack_across_files(workbench: Workbench) -> None:
    workbench.write(
        {
            "functions/pay/index.ts": (
                'import { create } from "./create.ts";\n\nexport default (n: number) => {\n  return create(n);\n};\n'
            ),
            "functions/pay/create.ts": (
                'import { fail } from "../../lib/fail.ts";\n'
                "\n"
                "export class Payment {\n"
                "  constructor(readonly amount: number) {\n"
                "    fail(amount);\n"
                "  }\n"
                "}\n"
                "export const create = (n: number): Payment => new Payment(n);\n"
            ),
            "lib/fail.ts": "// throws\nexport function fail(n: number) {\n  throw new RangeError(`no ${n}`);\n}\n",
        }
    )
    version = (await build_project(workbench.project)).functions["pay"].version
    text = await mapped(workbench, version, "module.default(5)")
    assert text.startswith("RangeError: no 5\n")
    assert [frame.position.location for frame in frames(text) if frame.own] == [
        "lib/fail.ts:3",
        "pay/create.ts:5",
        "pay/create.ts:8",
        "pay/index.ts:4",
    ]


async def test_an_error_at_module_level(workbench: Workbench) -> None:
    workbench.write(
        {"functions/a.ts": '// comment\ntype T = string;\nthrow new Error("at start");\nexport default () => 1;\n'}
    )
    version = (await build_project(workbench.project, check=False)).functions["a"].version
    with pytest.raises(ModuleFailed) as raised:
        await run(workbench.bundle(version), Request())
    text = str(json.loads(raised.value.payload)["stack"])
    found = origin(frames(map_stack(text, map_of(workbench.project.builds, version))))
    assert found is not None
    assert found.location == "a.ts:3"

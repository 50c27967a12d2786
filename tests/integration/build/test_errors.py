"""Errors of users' code, as people see them."""

from __future__ import annotations

from typing import Any

import pytest

from flux.build import Diagnostic, build_functions, build_project
from flux.errors import BuildFailed

from .conftest import Workbench


async def errors(workbench: Workbench, **arguments: Any) -> list[Diagnostic]:
    with pytest.raises(BuildFailed) as raised:
        await build_project(workbench.project, **arguments)
    return [Diagnostic(**violation) for violation in raised.value.violations]


async def test_type_error(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": 'const one = 1;\n  const n: number = "x";\nexport default () => n + one;\n'})
    with pytest.raises(BuildFailed) as raised:
        await build_project(workbench.project)
    assert raised.value.message == (
        "functions/a.ts:2:9 error TS2322: Type 'string' is not assignable to type 'number'.\n"
        '      const n: number = "x";\n'
        "            ^"
    )


async def test_types_are_not_needed_to_run(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": 'const n: number = "x";\nexport default () => n;\n'})
    manifest = await build_project(workbench.project, check=False)
    assert sorted(manifest.functions) == ["a"]
    # The next build that checks finds the error, although there is nothing to bundle.
    (found,) = await errors(workbench)
    assert found.code == "TS2322"
    assert (await errors(workbench))[0] == found


async def test_syntax_error(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": "export default () => {\n  const x = {;\n};\n"})
    (found,) = await errors(workbench, check=False)
    assert (found.file, found.line, found.column, found.source_line) == ("functions/a.ts", 2, 14, "  const x = {;")
    assert "Unexpected token" in found.message


async def test_syntax_error_in_an_imported_file(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": 'import { b } from "../lib/b.ts";\nexport default () => b;\n'})
    workbench.write({"lib/b.ts": "export const b = ;\n"})
    (found,) = await errors(workbench)
    assert (found.file, found.line, found.column) == ("lib/b.ts", 1, 18)


async def test_missing_file(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": '// first line\nimport { b } from "./_b";\nexport default () => b;\n'})
    workbench.write({"functions/_b.ts": "export const b = 1;\n"})
    (found,) = await errors(workbench)
    assert (found.file, found.line, found.column) == ("functions/a.ts", 2, 19)
    assert found.message == 'cannot find "./_b"; did you mean "./_b.ts"?'


async def test_missing_file_without_a_guess(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": 'import { b } from "./nowhere.ts";\nexport default () => b;\n'})
    (found,) = await errors(workbench)
    assert found.message == 'cannot find "./nowhere.ts": there is no such file'


async def test_missing_export(workbench: Workbench) -> None:
    workbench.write({"functions/a.js": 'import { c } from "./_b.js";\nexport default () => c;\n'})
    workbench.write({"functions/_b.js": "export const b = 1;\n"})
    (found,) = await errors(workbench, check=False)
    assert found.file == "functions/a.js"
    assert 'No matching export in "functions/_b.js" for import "c"' in found.message


async def test_node_modules_of_node_itself(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": 'import fs from "node:fs";\nexport default () => fs.readFileSync("x");\n'})
    (found,) = await errors(workbench)
    assert (found.line, found.column) == (1, 16)
    assert '"node:fs" is a module of Node.js' in found.message


async def test_no_default_export(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": "export const handler = () => 1;\n"})
    (found,) = await errors(workbench)
    assert found.file == "functions/a.ts"
    assert "no default export" in found.message


async def test_top_level_await(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": "const a = await Promise.resolve(1);\nexport default () => a;\n"})
    (found,) = await errors(workbench)
    assert (found.file, found.line) == ("functions/a.ts", 1)
    assert "Top-level await" in found.message


async def test_a_package_that_is_not_installed(workbench: Workbench) -> None:
    workbench.write(
        {
            "package.json": '{"dependencies": {"left-behind": "^1"}}',
            "node_modules/.keep": "",
            "functions/a.ts": 'import x from "left-behind";\nexport default () => x;\n',
            "functions/b.ts": 'import x from "@scope/never/sub";\nexport default () => x;\n',
        }
    )
    found = {diagnostic.file: diagnostic.message for diagnostic in await errors(workbench)}
    assert found == {
        "functions/a.ts": 'package "left-behind" is not installed in node_modules; run: npm install left-behind',
        "functions/b.ts": 'package "@scope/never" is not installed in node_modules; run: npm install @scope/never',
    }


async def test_one_broken_function_does_not_keep_the_others(workbench: Workbench) -> None:
    workbench.write(
        {
            "functions/fine.ts": "export default () => 1;\n",
            "functions/syntax.ts": "export default () => {;\n",
            "functions/missing.ts": 'import "./nope.ts";\nexport default () => 1;\n',
            "functions/types.ts": 'import { wrong } from "../lib/wrong.ts";\nexport default () => wrong;\n',
            "lib/wrong.ts": 'export const wrong: number = "x";\n',
        }
    )
    outcome = await build_functions(workbench.project)
    assert sorted(outcome.manifest.functions) == ["fine"]
    assert outcome.broken == {"missing", "syntax", "types"}
    assert sorted({error.file for error in outcome.errors}) == [
        "functions/missing.ts",
        "functions/syntax.ts",
        "lib/wrong.ts",
    ]


async def test_a_mended_error_is_gone(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": "export default () => {;\n"})
    await errors(workbench)
    workbench.write({"functions/a.ts": "export default () => 1;\n"})
    assert sorted((await build_project(workbench.project)).functions) == ["a"]

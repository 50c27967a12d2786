"""What a bundle is: each style of function, shared code, portability, versions."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from flux.build import build_functions, build_project, store
from flux.manifest import Limits, Manifest, Route

from .conftest import MakeWorkbench, Workbench
from .running import value

STYLES = {
    "functions/defined.ts": """
import { defineFunction } from "flux";
export default defineFunction({ handler: ({ input }) => ({ doubled: input.n * 2 }) });
""",
    "functions/plain.ts": "export default async (input: { n: number }) => input.n + 1;\nexport const extra = 7;\n",
    "functions/script.js": "export default (input) => input.n;\n",
    "functions/fetching.ts": """
export default { async fetch(request: Request): Promise<Response> { return new Response(request.url); } };
""",
    "functions/folder/index.ts": 'import { twice } from "./twice.ts";\nexport default (n: number) => twice(n);\n',
    "functions/folder/twice.ts": "export const twice = (n: number): number => n * 2;\n",
}


async def test_every_style(workbench: Workbench) -> None:
    workbench.write(STYLES)
    manifest = await build_project(workbench.project)
    bundles = {name: workbench.bundle(spec.version) for name, spec in manifest.functions.items()}
    assert sorted(bundles) == ["defined", "fetching", "folder", "plain", "script"]
    assert await value(bundles["defined"], "module.default.handler({ input: { n: 4 } })") == {"doubled": 8}
    assert await value(bundles["defined"], "module.default[Symbol.for('flux.function')]") is True
    assert await value(bundles["plain"], "[typeof module.default, module.extra]") == ["function", 7]
    assert await value(bundles["script"], "module.default({ n: 3 })") == 3
    assert await value(bundles["fetching"], "typeof module.default.fetch") == "function"
    assert await value(bundles["folder"], "module.default(21)") == 42


async def test_what_the_manifest_says(workbench: Workbench) -> None:
    workbench.write(
        {
            "functions/a.js": "export default () => 1;",
            "functions/b/index.js": "export default () => 2;",
            "functions/b/flux.json": (
                '{"route": "GET /b/:id", "auth": "api_key", "limits": {"cpu_ms": 50}, "retries": 0}'
            ),
        }
    )
    project = replace(workbench.project, limits=Limits(wall_ms=1000), env={"STAGE": "test"})
    manifest = await build_project(project)
    a, b = manifest.functions["a"], manifest.functions["b"]
    assert (a.source, a.routes, a.auth) == ("functions/a.js", (Route(method="POST", path="/a"),), "none")
    assert a.limits == Limits(wall_ms=1000)
    assert a.version == store.version_of(workbench.bundle(a.version).encode(), {"STAGE": "test"})
    assert (b.source, b.routes, b.auth) == ("functions/b/index.js", (Route(method="GET", path="/b/:id"),), "api_key")
    assert (b.limits, b.max_attempts) == (Limits(wall_ms=1000, cpu_ms=50), 1)
    assert Manifest.from_json(manifest.to_json()) == manifest


async def test_the_same_source_gives_the_same_version_anywhere(make_workbench: MakeWorkbench) -> None:
    versions = []
    for name in ("here", "somewhere-else"):
        workbench = make_workbench(name)
        workbench.write({**STYLES, "functions/cjs.js": 'import g from "../lib/g.cjs";\nexport default () => g();\n'})
        workbench.write({"lib/g.cjs": "module.exports = () => 5;\n"})
        manifest = await build_project(workbench.project)
        versions.append({name: spec.version for name, spec in manifest.functions.items()})
        for version in versions[-1].values():
            assert str(workbench.project.folder.parent) not in workbench.bundle(version)
            assert "../" not in workbench.bundle(version)
    assert versions[0] == versions[1]
    assert len(set(versions[0].values())) == len(versions[0])


async def test_lazy_imports_and_json_go_into_the_bundle(workbench: Workbench) -> None:
    workbench.write(
        {
            "functions/a.ts": """
import data from "../data.json" with { type: "json" };
export default async () => { const { late } = await import("../late.ts"); return data.answer + late; };
""",
            "data.json": '{"answer": 41}',
            "late.ts": "export const late: number = 1;\n",
        }
    )
    spec = (await build_project(workbench.project)).functions["a"]
    assert await value(workbench.bundle(spec.version), "module.default()") == 42


async def test_a_project_folder_with_odd_characters(make_workbench: MakeWorkbench) -> None:
    workbench = make_workbench("my project #1 ü%20")
    workbench.write({"functions/a.ts": 'import { n } from "../lib/ü n.ts";\nexport default () => n;\n'})
    workbench.write({"lib/ü n.ts": "export const n: number = 3;\n"})
    spec = (await build_project(workbench.project)).functions["a"]
    assert await value(workbench.bundle(spec.version), "module.default()") == 3


async def test_many_functions_and_two_builds_at_once(workbench: Workbench) -> None:
    names = [f"f{number}" for number in range(12)]
    workbench.write({f"functions/{name}.ts": f"export default () => '{name}';\n" for name in names})
    first, second = await asyncio.gather(build_functions(workbench.project), build_functions(workbench.project))
    assert first.manifest == second.manifest
    assert sorted(first.manifest.functions) == sorted(names)
    for name in names:
        assert await value(workbench.bundle(first.manifest.functions[name].version), "module.default()") == name
    left = [path.name for path in workbench.project.builds.iterdir() if path.name.startswith(".scratch")]
    assert left == []

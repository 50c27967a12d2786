"""npm packages: without any set-up, declared in package.json or deno.json, and installed. Needs the npm registry."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from flux.build import build_functions, build_project
from flux.errors import BuildFailed

from .conftest import Workbench
from .running import value

EXAMPLES = Path(__file__).parents[3] / "examples"

IDS = 'import { urlAlphabet } from "nanoid";\nexport default () => urlAlphabet.length;\n'


def example(workbench: Workbench, name: str) -> None:
    """Copies an example over the workbench's project."""
    left_out = shutil.ignore_patterns(".flux", "node_modules")
    shutil.copytree(EXAMPLES / name, workbench.project.folder, ignore=left_out, dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("name", "functions"),
    [
        ("quickstart", ["create_user", "hello", "send_welcome"]),
        ("npm", ["due_date", "report", "router", "short_id", "token", "validate"]),
    ],
)
async def test_examples_build(workbench: Workbench, name: str, functions: list[str]) -> None:
    example(workbench, name)
    lock = (workbench.project.folder / "flux.lock").read_text()
    manifest = await build_project(workbench.project)
    assert sorted(manifest.functions) == functions
    assert (workbench.project.folder / "flux.lock").read_text() == lock
    for spec in manifest.functions.values():
        bundle = workbench.bundle(spec.version)
        assert str(workbench.project.folder.parent) not in bundle
        assert str(Path.home() / ".cache") not in bundle


async def test_a_package_that_nothing_declares(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": IDS})
    outcome = await build_functions(workbench.project)
    assert outcome.errors == ()
    assert await value(workbench.bundle(outcome.manifest.functions["a"].version), "module.default()") == 64
    lock = json.loads((workbench.project.folder / "flux.lock").read_text())
    assert list(lock["specifiers"]) == ["npm:nanoid@*"]
    # A second function with the same package takes the version that is locked.
    workbench.write({"functions/b.ts": IDS})
    await build_project(workbench.project)
    assert json.loads((workbench.project.folder / "flux.lock").read_text()) == lock


async def test_the_version_of_package_json_counts_without_an_install(workbench: Workbench) -> None:
    workbench.write({"package.json": '{"dependencies": {"nanoid": "5.0.9"}}', "functions/a.ts": IDS})
    version = (await build_project(workbench.project)).functions["a"].version
    assert "// npm:nanoid@5.0.9/" in workbench.bundle(version)
    assert not (workbench.project.folder / "node_modules").exists()
    workbench.write({"package.json": '{"dependencies": {"nanoid": "5.1.5"}}'})
    version = (await build_project(workbench.project)).functions["a"].version
    assert "// npm:nanoid@5.1.5/" in workbench.bundle(version)


async def test_the_version_of_deno_json_counts(workbench: Workbench) -> None:
    workbench.write(
        {
            "deno.json": '{\n  // ids\n  "imports": { "ids": "npm:nanoid@5.0.9", "~/": "./lib/" },\n}',
            "functions/a.ts": 'import { n } from "~/n.ts";\nimport { urlAlphabet } from "ids";\n'
            "export default () => urlAlphabet.length + n;\n",
            "lib/n.ts": "export const n: number = 1;\n",
        }
    )
    version = (await build_project(workbench.project)).functions["a"].version
    assert await value(workbench.bundle(version), "module.default()") == 65
    assert "// npm:nanoid@5.0.9/" in workbench.bundle(version)


async def test_a_package_that_does_not_exist(workbench: Workbench) -> None:
    workbench.write({"functions/a.ts": '\nimport x from "flux-no-such-package-7c1e";\nexport default () => x;\n'})
    with pytest.raises(BuildFailed) as raised:
        await build_project(workbench.project)
    (violation,) = raised.value.violations
    assert (violation["file"], violation["line"], violation["column"]) == ("functions/a.ts", 2, 15)
    assert "flux-no-such-package-7c1e" in violation["message"]


async def test_what_is_installed_counts_and_is_watched_for_changes(workbench: Workbench) -> None:
    workbench.write(
        {
            "package.json": '{"dependencies": {"mine": "1.0.0"}}',
            "node_modules/mine/package.json": '{"name": "mine", "version": "1.0.0", "main": "index.js"}',
            "node_modules/mine/index.js": "exports.value = require('./inner.js');\n",
            "node_modules/mine/inner.js": "module.exports = 41;\n",
            "functions/a.js": 'import { value } from "mine";\nexport default () => value + 1;\n',
        }
    )
    first = await build_functions(workbench.project)
    bundle = workbench.bundle(first.manifest.functions["a"].version)
    assert await value(bundle, "module.default()") == 42
    assert str(workbench.project.folder) not in bundle
    assert "node_modules/" not in bundle
    assert (await build_functions(workbench.project)).built == set()
    workbench.write({"node_modules/mine/inner.js": "module.exports = 410;\n"})
    assert (await build_functions(workbench.project)).built == {"a"}

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flux.build.imports import LOCK, lock_path, locked_packages, package_of, tool_arguments, write_import_map
from flux.build.project import Project
from flux.build.sdk import sdk_folder
from flux.errors import BuildFailed

from .conftest import MakeProject

FLUX = (sdk_folder() / "flux.ts").as_uri()


@pytest.mark.parametrize(
    ("specifier", "package"),
    [
        ("zod", "zod"),
        ("zod/mini", "zod"),
        ("@hono/zod-validator", "@hono/zod-validator"),
        ("@scope/a/b/c.js", "@scope/a"),
        ("lodash.get", "lodash.get"),
        ("./zod", None),
        ("../zod", None),
        ("/zod", None),
        ("#internal", None),
        ("@/components", None),
        ("npm:zod", None),
        ("https://esm.sh/zod", None),
    ],
)
def test_package_of(specifier: str, package: str | None) -> None:
    assert package_of(specifier) == package


def written(project: Project, packages: set[str], folder: Path) -> dict[str, Any]:
    write_import_map(project, packages, folder / "map.json")
    imports: dict[str, Any] = json.loads((folder / "map.json").read_text())
    return imports


def test_undeclared_packages_come_from_npm_with_their_subpaths(make_project: MakeProject, tmp_path: Path) -> None:
    imports = written(make_project({}), {"zod", "@scope/a"}, tmp_path)["imports"]
    assert imports == {
        "zod": "npm:zod",
        "zod/": "npm:/zod/",
        "@scope/a": "npm:@scope/a",
        "@scope/a/": "npm:/@scope/a/",
        "flux": FLUX,
    }


def test_what_deno_json_declares_counts(make_project: MakeProject, tmp_path: Path) -> None:
    config = """{
      // comments and trailing commas are fine, and "//" in strings stays
      "imports": {
        "zod": "npm:zod@3", "@/": "./src/", /* not this: "x": "y" */
        "remote": "https://example.com/a,b.ts",
      },
      "scopes": { "./old/": { "zod": "npm:zod@2" } },
    }"""
    project = make_project({"deno.jsonc": config})
    found = written(project, {"zod"}, tmp_path)
    assert found["imports"]["zod"] == "npm:zod@3"
    assert found["imports"]["zod/"] == "npm:/zod@3/"
    assert found["imports"]["@/"] == (project.folder / "src").as_uri() + "/"
    assert found["imports"]["remote"] == "https://example.com/a,b.ts"
    assert found["scopes"] == {(project.folder / "old").as_uri() + "/": {"zod": "npm:zod@2"}}


def test_an_import_map_that_deno_json_names(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project({"deno.json": '{"importMap": "maps/m.json"}', "maps/m.json": '{"imports": {"a": "./a.ts"}}'})
    assert written(project, set(), tmp_path)["imports"]["a"] == (project.folder / "maps" / "a.ts").as_uri()


def test_flux_cannot_be_replaced(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project({"deno.json": '{"imports": {"flux": "./mine.ts"}}'})
    assert written(project, set(), tmp_path)["imports"]["flux"] == FLUX


def test_broken_files_are_named(make_project: MakeProject, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"deno\.json error: not valid JSON"):
        written(make_project({"deno.json": "{"}), set(), tmp_path)


def test_locked_packages(make_project: MakeProject) -> None:
    lock = '{"specifiers": {"npm:zod@*": "4.6.7", "npm:@a/b@*": "1.0.0", "npm:hono@4": "4.9.0", "jsr:@std/x@*": "1"}}'
    assert locked_packages(make_project({LOCK: lock})) == {"zod", "@a/b"}


def test_a_package_that_was_declared_since_is_not_taken_from_the_lock(make_project: MakeProject) -> None:
    files = {LOCK: '{"specifiers": {"npm:zod@*": "4.6.7"}}', "package.json": '{"dependencies": {"zod": "^3"}}'}
    assert locked_packages(make_project(files)) == set()


def test_lock_file(make_project: MakeProject) -> None:
    project = make_project({})
    assert lock_path(project) == project.folder / "flux.lock"
    (project.folder / "deno.lock").write_text("{}")
    assert lock_path(project) == project.folder / "deno.lock"


def test_node_modules_are_used_only_with_a_package_json(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project({"node_modules/x/index.js": ""})
    assert "--node-modules-dir=none" in tool_arguments(project, tmp_path)
    (project.folder / "package.json").write_text("{}")
    assert "--node-modules-dir=manual" in tool_arguments(project, tmp_path)
    assert "--no-lock" in tool_arguments(project, tmp_path)

"""`schemas/*.schema.ts`, evaluated: what each file's `defineSchema` was given, as JSON.

They are run by the build's tool, without any permission: they can compute, and read or reach nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson

from flux.build import store
from flux.build.deno import Deno
from flux.build.diagnostics import Diagnostic, failed, parse
from flux.build.imports import locked_packages, tool_arguments, write_import_map
from flux.build.project import Project
from flux.build.sdk import place_types
from flux.errors import NotFound

FOLDER, PATTERN = "schemas", "*.schema.ts"
_MARK = "\x1e"  # before and behind our line stands what the schemas themselves wrote, to find a mistake


def schema_files(project: Project) -> list[Path]:
    return sorted((project.folder / FOLDER).glob(PATTERN))


async def read_schemas(project: Project) -> list[tuple[str, Any]]:
    """(file as errors name it, its default export as JSON) of every schema file; type-checked.

    Raises BuildFailed, and NotFound when there is no such file.
    """
    files = schema_files(project)
    if not files:
        raise NotFound(f"there are no schemas: write {FOLDER}/main.schema.ts, `export default defineSchema({{ ... }})`")
    place_types(project)
    with store.scratch(project.builds) as scratch:
        import_map, entry = scratch / "import_map.json", scratch / "schemas.entry.ts"
        write_import_map(project, locked_packages(project), import_map)
        entry.write_text(_entry_text(files))
        tool = Deno(project.folder)
        finished = await tool.run("run", ["--check", *tool_arguments(project, import_map), str(entry)])
    if not finished.ok:
        found = parse(finished.stderr, project.shown)
        raise failed(found or [Diagnostic(message=finished.stderr.strip() or "the schemas could not be evaluated")])
    _, mark, behind = finished.stdout.rpartition(_MARK.encode())
    if not mark:
        raise failed([Diagnostic(message="the schemas ended the program before they could be read")])
    documents = orjson.loads(behind.partition(b"\n")[0])
    return list(zip(map(project.shown, files), documents, strict=True))


def _entry_text(files: list[Path]) -> str:
    imports = [f"import schema{at} from {json.dumps(path.as_uri())};" for at, path in enumerate(files)]
    names = ", ".join(f"schema{at}" for at in range(len(files)))
    written = f"{json.dumps(_MARK)} + JSON.stringify([{names}].map((each) => each ?? null))"
    return "\n".join([*imports, f"console.log({written});\n"])

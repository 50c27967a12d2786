from __future__ import annotations

from pathlib import Path
from typing import Any

from flux.build.graph import Graph

ENTRY = Path("/p/functions/a.ts")


def span(line: int, column: int) -> dict[str, Any]:
    return {"start": {"line": line, "character": column}, "end": {"line": line, "character": column + 1}}


def dependency(
    specifier: str, target: str = "", *, error: str = "", use: str = "code", line: int = 0
) -> dict[str, Any]:
    resolved: dict[str, Any] = {"span": span(line, 7)}
    resolved |= {"error": error} if error else {"specifier": target}
    return {"specifier": specifier, use: resolved}


def module(name: str, *dependencies: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "esm", "specifier": f"file:///p/{name}", "dependencies": list(dependencies), **more}


def graph(*modules: dict[str, Any], **more: Any) -> Graph:
    return Graph({"modules": list(modules), **more})


def messages(made: Graph) -> list[tuple[str, int, str]]:
    return [(found.file, found.line, found.message) for found in made.errors(ENTRY, str)]


def test_files_are_those_reached_from_the_entry_types_included() -> None:
    made = graph(
        module(
            "functions/a.ts",
            dependency("../lib/b.ts", "file:///p/lib/b.ts"),
            dependency("../t.ts", "file:///p/t.ts", use="type"),
            dependency("zod", "npm:zod"),
        ),
        module("lib/b.ts", dependency("../functions/a.ts", "file:///p/functions/a.ts")),
        module("t.ts"),
        module("functions/other.ts"),
        {"kind": "npm", "specifier": "npm:/zod@4.6.7", "npmPackage": "zod@4.6.7"},
        redirects={"npm:zod": "npm:/zod@4.6.7"},
    )
    assert made.files(ENTRY) == {ENTRY, Path("/p/lib/b.ts"), Path("/p/t.ts")}
    assert messages(made) == []


def test_undeclared_packages_of_any_depth() -> None:
    made = graph(
        module("functions/a.ts", dependency("../b.ts", "file:///p/b.ts")),
        module(
            "b.ts",
            dependency("zod/mini", error='Import "zod/mini" not a dependency'),
            dependency("@s/p", error='Import "@s/p" not a dependency', use="type"),
            dependency("#x", error='Import "#x" not a dependency'),
            dependency("left", error="Could not resolve: node_modules/ directory to be up to date"),
        ),
    )
    assert made.undeclared([ENTRY]) == {"zod", "@s/p"}


def test_errors_stand_where_the_import_stands() -> None:
    made = graph(
        module(
            "functions/a.ts",
            dependency("npm:nope", "npm:nope", line=1),
            dependency("fs", "node:fs", line=2),
            dependency("./gone.ts", "file:///p/functions/gone.ts", line=3),
            dependency("#x", error='Import "#x" not a dependency', line=4),
            dependency("zod", error='Import "zod" not a dependency', line=5),
        ),
        {"specifier": "npm:nope", "error": "npm package 'nope' does not exist."},
        {"specifier": "file:///p/functions/gone.ts", "error": 'Module not found "file:///p/functions/gone.ts".'},
        {"kind": "node", "specifier": "node:fs", "moduleName": "fs"},
    )
    assert messages(made) == [
        (str(ENTRY), 2, "npm package 'nope' does not exist."),
        (
            str(ENTRY),
            3,
            '"fs" is a module of Node.js, which functions do not have; use the web API instead '
            "(crypto, fetch, URL, TextEncoder, streams ...)",
        ),
        (str(ENTRY), 4, 'cannot find "./gone.ts": there is no such file'),
        (str(ENTRY), 5, 'Import "#x" not a dependency'),
        (str(ENTRY), 6, 'package "zod" is not installed in node_modules; run: npm install zod'),
    ]


def test_an_error_inside_a_module_stands_there() -> None:
    broken = "SyntaxError: Unexpected token\n  |\n1 | x\n  | ~\n    at file:///p/lib/b.ts:7:3"
    made = graph(
        module("functions/a.ts", dependency("../lib/b.ts", "file:///p/lib/b.ts")),
        {"specifier": "file:///p/lib/b.ts", "error": broken},
    )
    assert messages(made) == [("/p/lib/b.ts", 7, "SyntaxError: Unexpected token")]


def test_an_entry_that_does_not_parse() -> None:
    made = graph({"specifier": ENTRY.as_uri(), "error": f"SyntaxError: no\n    at {ENTRY.as_uri()}:2:1"})
    assert messages(made) == [(str(ENTRY), 2, "SyntaxError: no")]

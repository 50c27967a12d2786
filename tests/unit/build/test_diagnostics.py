from __future__ import annotations

from pathlib import Path

import pytest

from flux.build.diagnostics import MAX_SHOWN, Diagnostic, failed, parse
from flux.errors import BuildFailed

SOURCE = 'const a = 1;\nconst n: number = "x";\n\tconst é: string = 5;\n'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "with space" / "a.ts"
    path.parent.mkdir()
    path.write_text(SOURCE, "utf-8")
    return path


def shown(path: Path) -> str:
    return path.name


def test_type_errors(source: Path) -> None:
    output = f"""Check {source}
TS2322 [ERROR]: Type 'string' is not assignable to type 'number'.
const n: number = "x";
      ^
    at {source.as_uri()}:2:7

TS2345 [ERROR]: Argument of type '{{ a: string; }}' is not assignable to parameter of type 'X'.
  Types of property 'a' are incompatible.
    Type 'string' is not assignable to type 'number'.
const a = 1;
~~~~~
    at {source.as_uri()}:1:1

Found 2 errors.

error: Type checking failed.

Stack backtrace:
   0: <unknown>
"""
    assert parse(output, shown) == [
        Diagnostic(
            code="TS2322",
            message="Type 'string' is not assignable to type 'number'.",
            file="a.ts",
            line=2,
            column=7,
            source_line='const n: number = "x";',
        ),
        Diagnostic(
            code="TS2345",
            message="Argument of type '{ a: string; }' is not assignable to parameter of type 'X'.\n"
            "  Types of property 'a' are incompatible.\n"
            "  Type 'string' is not assignable to type 'number'.",
            file="a.ts",
            line=1,
            column=1,
            source_line="const a = 1;",
        ),
    ]


def test_syntax_error(source: Path) -> None:
    output = f"""error: SyntaxError: Unexpected token `;`. Expected identifier
  |
1 | const x = {{;
  |            ~
    at {source.as_uri()}:1:7
error: bundling failed
"""
    (found,) = parse(output, shown)
    assert found.render() == (
        "a.ts:1:7 error: SyntaxError: Unexpected token `;`. Expected identifier\n    const a = 1;\n          ^"
    )


def test_error_without_position() -> None:
    (found,) = parse("error: npm package 'nope' does not exist.\n\nStack backtrace:\n   0: <unknown>\n", shown)
    assert found == Diagnostic(message="npm package 'nope' does not exist.")
    assert found.render() == "error: npm package 'nope' does not exist."


def test_the_bundler_counts_the_columns_of_bare_imports_from_zero(source: Path) -> None:
    output = f'error: Import "zod" not a dependency\n    at {source.as_uri()}:1:18\n'
    (found,) = parse(output, shown)
    assert found.column == 19


def test_a_tab_stays_a_tab_above_the_caret(source: Path) -> None:
    (found,) = parse(f"TS2322 [ERROR]: no.\n    at {source.as_uri()}:3:8\n", shown)
    assert found.render() == "a.ts:3:8 error TS2322: no.\n    \tconst é: string = 5;\n    \t      ^"


def test_a_file_that_is_gone_has_no_source_line(tmp_path: Path) -> None:
    (found,) = parse(f"error: no.\n    at {(tmp_path / 'gone.ts').as_uri()}:3:8\n", shown)
    assert (found.line, found.source_line) == (3, "")


def test_failed_lists_each_error_once_and_not_without_end() -> None:
    errors = [Diagnostic(message=str(number), file="a.ts") for number in range(MAX_SHOWN + 5)]
    error = failed([*errors, errors[0]])
    assert isinstance(error, BuildFailed)
    assert error.message.endswith("... and 5 more errors")
    assert [Diagnostic(**violation) for violation in error.violations] == errors


def test_where_something_else_is_declared_is_not_an_error(source: Path) -> None:
    output = f"""TS1005 [ERROR]: '}}' expected.
    at {source.as_uri()}:1:1

TS1007 [ERROR]:     The parser expected to find a '}}' to match the '{{' token here.
    const a = 1;
        ^
        at {source.as_uri()}:1:5
"""
    assert [(found.code, found.line) for found in parse(output, shown)] == [("TS1005", 1)]

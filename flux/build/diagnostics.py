"""Build errors: where, what, and the source line; parsed from what the tool prints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from flux.errors import BuildFailed

MAX_SHOWN = 50  # errors in one message; a project with more is read from the top anyway
_SNIPPET_WIDTH = 160  # columns of a source line that are shown; minified files have lines of megabytes

_START = re.compile(r"^(?:(?P<code>TS\d+) \[ERROR\]: |error: )(?P<message>.*)$")
_POSITION = re.compile(r"^    at (?P<url>file://\S+?):(?P<line>\d+):(?P<column>\d+)$")
_CARET = re.compile(r"^\s*[~^]+\s*$")
_NOISE = ("bundling failed", "Type checking failed.")
_TRACE = "Stack backtrace:"
_BARE_IMPORT = 'Import "'


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One build error. `file` is relative to the project folder; `line` and `column` count from 1.

    An error that belongs to no line has `line` 0; one that belongs to no file has `file` "".
    """

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    code: str = ""
    source_line: str = ""

    def render(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        head = " ".join(part for part in (where, f"error {self.code}".rstrip() + f": {self.message}") if part)
        if not self.source_line:
            return head
        # A tab stays a tab in the line of the caret, so that both are indented alike.
        indent = "".join("\t" if character == "\t" else " " for character in self.source_line[: self.column - 1])
        return f"{head}\n    {self.source_line}\n    {indent}^"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def located(
    message: str, *, path: Path, shown: Callable[[Path], str], line: int = 0, column: int = 0, code: str = ""
) -> Diagnostic:
    """A diagnostic whose source line is read from the file (left out when it cannot be)."""
    return Diagnostic(
        message=message,
        file=shown(path),
        line=line,
        column=column,
        code=code,
        source_line=_source_line(path, line, column),
    )


def failed(diagnostics: Sequence[Diagnostic]) -> BuildFailed:
    """The error that carries these; its `violations` are the diagnostics as JSON objects."""
    unique = list(dict.fromkeys(diagnostics))
    lines = [diagnostic.render() for diagnostic in unique[:MAX_SHOWN]]
    if len(unique) > MAX_SHOWN:
        lines.append(f"... and {len(unique) - MAX_SHOWN} more errors")
    return BuildFailed("\n".join(lines), violations=[diagnostic.to_json() for diagnostic in unique])


def parse(output: str, shown: Callable[[Path], str]) -> list[Diagnostic]:
    """The errors in the output (without colours) of `deno check`, `deno bundle` or an error of `deno info`."""
    found = []
    for code, lines in _blocks(output.partition(_TRACE)[0].splitlines()):
        message = _message(lines)
        if message in _NOISE:
            continue
        position = next((match for match in map(_POSITION.match, lines) if match), None)
        if position is None:
            found.append(Diagnostic(message=message, code=code))
            continue
        column = int(position["column"])
        if message.startswith(_BARE_IMPORT) and not code:
            column += 1  # the bundler counts this one's column from 0, the others from 1
        found.append(
            located(
                message,
                path=Path(unquote(urlsplit(position["url"]).path)),
                shown=shown,
                line=int(position["line"]),
                column=column,
                code=code,
            )
        )
    return found


def _blocks(lines: Iterable[str]) -> list[tuple[str, list[str]]]:
    """One (code, lines) per error; a block ends where the next one starts."""
    blocks: list[tuple[str, list[str]]] = []
    for line in lines:
        start = _START.match(line)
        if start and start["message"].startswith(" "):
            continue  # says where something else is declared: belongs to the error above
        if start:
            blocks.append((start["code"] or "", [start["message"]]))
        elif blocks:
            blocks[-1][1].append(line)
    return blocks


def _message(lines: Sequence[str]) -> str:
    """The first line and its indented continuation; not the tool's own source line, caret, hints and position."""
    carets = [index for index, line in enumerate(lines) if _CARET.match(line)]
    body = lines[: carets[0] - 1] if carets else lines
    message = [lines[0]]
    for line in body[1:]:
        if not line.startswith("  ") or line.startswith("    at ") or line.lstrip().startswith(("|", "hint:", "note:")):
            break
        message.append(line.strip())
    return "\n  ".join(message).strip()


def _source_line(path: Path, line: int, column: int) -> str:
    if line < 1:
        return ""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    if line > len(lines) or column > _SNIPPET_WIDTH:
        return ""
    return lines[line - 1][:_SNIPPET_WIDTH].rstrip()

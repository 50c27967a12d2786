"""From positions in a bundle to lines of the source: reading source maps (revision 3) and mapping V8's stack texts.

Only used when something failed, so a map is decoded when it is first asked for; `map_of` keeps the last few.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flux.build import store

# `//# sourceURL=` of a bundle: the script name that V8 puts into stack frames.
SCRIPT_PREFIX = "flux:"
PACKAGE_PREFIX = "npm:"
SDK_SOURCE = "flux"
ENTRY_SOURCE = "flux:entry"

# A decoded map of a bundle with zod takes about 10 MB; few functions fail at the same time.
MAPS_KEPT = 16

_BASE64 = {
    character: value
    for value, character in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}
_CONTINUES, _DIGIT_BITS, _DIGIT = 32, 5, 31

_POSITION = re.compile(r"flux:[a-z0-9][a-z0-9_-]*:(\d+):(\d+)")
_FRAME = re.compile(r"^\s*at (?:async )?(?:(?P<function>.+?) \()?(?P<file>[^()]+?):(?P<line>\d+):(?P<column>\d+)\)?$")


@dataclass(frozen=True, kw_only=True)
class Position:
    """A place in the source; line and column count from 1."""

    source: str
    line: int
    column: int

    @property
    def location(self) -> str:
        """As people write it: `create_user.ts:12`."""
        return f"{self.source}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One line of a mapped stack. `own` is False in npm packages and Flux's own code."""

    function: str
    position: Position
    own: bool


class SourceMap:
    """A decoded map. `at` answers with V8's counting: lines and columns from 1, columns in UTF-16 units."""

    def __init__(self, text: str | bytes) -> None:
        document = json.loads(text)
        if document.get("version") != 3:
            raise ValueError(f"not a source map of revision 3: version {document.get('version')!r}")
        self.sources: list[str] = document["sources"]
        self._contents: list[str | None] = document.get("sourcesContent") or []
        self._mappings: list[str] = document["mappings"].split(";")
        self._lines: list[tuple[list[int], list[tuple[int, int, int]]]] | None = None

    def at(self, line: int, column: int) -> Position | None:
        """Where this place of the bundle comes from; None if from nowhere (the bundler's own code)."""
        if self._lines is None:
            self._lines = _decode(self._mappings)
        if not 1 <= line <= len(self._lines):
            return None
        columns, origins = self._lines[line - 1]
        index = bisect_right(columns, column - 1) - 1
        if index < 0:
            return None
        source, source_line, source_column = origins[index]
        if source < 0:
            return None
        return Position(source=self.sources[source], line=source_line + 1, column=source_column + 1)

    def source_line(self, position: Position) -> str | None:
        """The text of that line, if the map carries it (it does for the project's own files)."""
        try:
            content = self._contents[self.sources.index(position.source)]
        except (ValueError, IndexError):
            return None
        lines = content.splitlines() if content else []
        return lines[position.line - 1] if position.line <= len(lines) else None


def map_stack(stack: str, source_map: SourceMap) -> str:
    """The stack with every position in the bundle replaced by the one in the source (`create_user.ts:12:11`)."""

    def replace(match: re.Match[str]) -> str:
        position = source_map.at(int(match[1]), int(match[2]))
        return f"{position.location}:{position.column}" if position else match[0]

    return _POSITION.sub(replace, stack)


def frames(mapped: str) -> list[Frame]:
    """The frames of a stack that `map_stack` returned, innermost first; lines that are no frames are left out."""
    found = []
    for match in map(_FRAME.match, mapped.splitlines()):
        if match:
            position = Position(source=match["file"], line=int(match["line"]), column=int(match["column"]))
            found.append(Frame(function=match["function"] or "", position=position, own=_is_own(position.source)))
    return found


def origin(mapped: Sequence[Frame]) -> Position | None:
    """Where the failure is to be looked for: the innermost frame in the project's own code, else the innermost one."""
    own = next((frame.position for frame in mapped if frame.own), None)
    return own or (mapped[0].position if mapped else None)


@lru_cache(maxsize=MAPS_KEPT)
def map_of(builds: Path, version: str) -> SourceMap:
    """The map of a stored build, kept decoded. Raises NotFound."""
    return SourceMap(store.load_map(builds, version))


def _is_own(source: str) -> bool:
    return not source.startswith((PACKAGE_PREFIX, SCRIPT_PREFIX, "<", "native ")) and source != SDK_SOURCE


def _decode(mappings: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int, int]]]]:
    """Per line of the bundle: the columns at which segments start, and the (source, line, column) of each.

    A segment of one field maps to no source: (-1, 0, 0). All but the column run on across lines, as differences.
    """
    lines = []
    source = source_line = source_column = 0
    for encoded in mappings:
        columns: list[int] = []
        origins: list[tuple[int, int, int]] = []
        column = 0
        for segment in encoded.split(",") if encoded else ():
            fields = _vlq(segment)
            column += fields[0]
            columns.append(column)
            if len(fields) < 4:
                origins.append((-1, 0, 0))
                continue
            source += fields[1]
            source_line += fields[2]
            source_column += fields[3]
            origins.append((source, source_line, source_column))
        lines.append((columns, origins))
    return lines


def _vlq(segment: str) -> list[int]:
    """Base64 VLQ: five bits a character, least significant first, the lowest bit of a number is its sign."""
    numbers = []
    value = shift = 0
    for character in segment:
        digit = _BASE64[character]
        value |= (digit & _DIGIT) << shift
        if digit & _CONTINUES:
            shift += _DIGIT_BITS
            continue
        numbers.append(-(value >> 1) if value & 1 else value >> 1)
        value = shift = 0
    return numbers

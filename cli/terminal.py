"""Where a command's output goes: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from .errors import OutputClosed
from .render.text import Paint

DEFAULT_WIDTH = 100  # where the output is not a terminal


def wants_colour(stream: TextIO, env: Mapping[str, str] = os.environ) -> bool:
    """Only on a terminal, unless NO_COLOR is set (no-color.org) or the terminal is a dumb one."""
    return stream.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminal:
    out: TextIO
    err: TextIO
    paint: Paint
    width: int

    def lines(self, lines: Iterable[str]) -> None:
        """Writes and flushes. Raises OutputClosed when nobody reads any more."""
        self.write("".join(f"{line}\n" for line in lines))

    def write(self, text: str) -> None:
        try:
            self.out.write(text)
            self.out.flush()
        except BrokenPipeError:
            raise OutputClosed from None

    def json(self, value: Any) -> None:
        """Indented, for one answer."""
        self.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def json_line(self, value: Any) -> None:
        """On one line, for streams."""
        self.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")

    def note(self, text: str) -> None:
        """For the person, not for the pipe."""
        print(Paint(enabled=wants_colour(self.err)).dim(text), file=self.err, flush=True)


def terminal() -> Terminal:
    """This process's."""
    out = sys.stdout
    colour = wants_colour(out)
    width = shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns if out.isatty() else DEFAULT_WIDTH
    return Terminal(out=out, err=sys.stderr, paint=Paint(enabled=colour), width=width)

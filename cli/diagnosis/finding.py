"""One finding of `flux doctor`, and findings as lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..render.text import PLAIN, Paint, clean

State = Literal["ok", "warning", "failed"]
OK: State = "ok"
WARNING: State = "warning"
FAILED: State = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """`detail` is what was found, `hint` what to do about it."""

    check: str
    state: State
    detail: str
    hint: str | None = None


def finding_lines(findings: Sequence[Finding], paint: Paint = PLAIN) -> list[str]:
    marks = {OK: paint.green("✔"), WARNING: paint.yellow("!"), FAILED: paint.red("✗")}
    width = max((len(finding.check) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"  {marks[finding.state]} {finding.check.ljust(width)}  {clean(finding.detail)}")
        if finding.hint and finding.state != OK:
            lines.append(f"    {' ' * width}  {paint.dim('→ ' + finding.hint)}")
    bad = sum(finding.state == FAILED for finding in findings)
    doubtful = sum(finding.state == WARNING for finding in findings)
    verdict = f"{bad} to mend, {doubtful} to look at" if bad or doubtful else "all well"
    return [*lines, "", f"  {paint.bold(verdict)}"]

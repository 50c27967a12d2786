"""`flux doctor`: is everything there that Flux needs on this machine?"""

from __future__ import annotations

from pathlib import Path

import typer

from ..options import AsJson, Data, Project, Url


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(json: AsJson = False, url: Url = None, project: Project = None, data: Data = None) -> None:
    """Check this machine and project.

    Each finding comes with a hint. Ends with 1 if something must be mended.
    """
    from dataclasses import asdict

    from ..connect import find, project_folder
    from ..diagnosis.checks import examine
    from ..diagnosis.finding import FAILED, finding_lines
    from ..terminal import terminal

    here = Path.cwd()
    target = find(url=url, project=project, data=data, cwd=here)
    findings = examine(project or project_folder(here), data.absolute() if data is not None else None, target)
    out = terminal()
    if json:
        out.json([asdict(finding) for finding in findings])
    else:
        out.lines(finding_lines(findings, out.paint))
    if any(finding.state == FAILED for finding in findings):
        raise typer.Exit(1)

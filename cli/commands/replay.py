"""`flux replay`: run a recorded execution again, answered from its record."""

from __future__ import annotations

import typer

from .. import options
from ..options import AsJson, Data, ExecutionId, Project, Url


def register(app: typer.Typer) -> None:
    app.command()(replay)


def replay(id: ExecutionId, json: AsJson = False, url: Url = None, project: Project = None, data: Data = None) -> None:
    """Run a request again from its record.

    Runs the recorded code, every host call answered from the record: nothing leaves the server. Ends with 1 when the
    result is not the recorded one.
    """
    from ..terminal import terminal

    answer = options.api(url, project, data).post(f"/executions/{options.execution_id(id)}/replay")
    out = terminal()
    if json:
        out.json(answer)
    else:
        from ..render.replay import replay_lines

        out.lines(replay_lines(answer, paint=out.paint))
    if not answer["match"]:
        raise typer.Exit(1)

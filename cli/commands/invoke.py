"""`flux invoke`: call a function without knowing its route."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import options
from ..options import AsJson, Project, Url

if TYPE_CHECKING:
    from ..client import Answer
    from ..errors import CommandFailed

# Answers that Flux itself gives before a function runs: they keep their exit codes. Any other is the function's own,
# and a 404 that a function threw is a bad answer (1), not a missing function (4).
_BEFORE_THE_FUNCTION = frozenset(
    {"UNAUTHENTICATED", "FORBIDDEN", "ROUTE_NOT_FOUND", "NOT_FOUND", "OVERLOADED", "RECORD_BACKLOG", "DRAINING"}
)


def register(app: typer.Typer) -> None:
    app.command()(invoke)


def invoke(
    function: Annotated[str, typer.Argument(metavar="FUNCTION", help="Name of the function.")],
    input: Annotated[
        str | None, typer.Option("--data", "-d", metavar="JSON|@FILE|-", help="Input; - reads standard input.")
    ] = None,
    json: AsJson = False,
    url: Url = None,
    project: Project = None,
    data: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help="Data folder.", show_default=False)
    ] = None,
) -> None:
    """Call a function by name.

    Prints its output, and the request ID on standard error.
    """
    from ..client import segment
    from ..terminal import terminal

    body = read_input(input)
    api = options.api(url, project, data)
    answer = api.send("POST", f"/invoke/{segment(function)}", body=body)
    out = terminal()
    request_id = answer.headers.get("x-request-id")
    error = answer.error() if answer.status >= 400 else None
    if json:
        out.json({"request_id": request_id, "status": answer.status, "output": _output(answer), "error": error})
    elif answer.status < 400:
        out.write(_text(answer))
    if request_id:
        out.note(f"request {request_id}")
    if answer.status >= 400:
        raise _failure(answer)


def read_input(text: str | None, option: str = "--data") -> bytes:
    """The body to send. Raises BadUsage where it is not JSON, before anything is sent."""
    import json
    import sys

    from ..errors import BadUsage

    if text is None:
        return b"{}"
    try:
        if text == "-":
            body = sys.stdin.buffer.read()
        elif text.startswith("@"):
            body = Path(text[1:]).read_bytes()
        else:
            body = text.encode()
        json.loads(body)
    except OSError as error:
        raise BadUsage(f"{text[1:]}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # the latter: it nests too deep
        raise BadUsage(f"{option} is not JSON: {error}", hint=f"""such as {option} '{{"name": "Ada"}}'""") from None
    return body


def _output(answer: Answer) -> object:
    """JSON as it is, other text as a string; None for an error."""
    import json

    if answer.status >= 400:
        return None
    try:
        return json.loads(answer.body)
    except ValueError:
        return answer.body.decode("utf-8", "replace")


def _text(answer: Answer) -> str:
    import json

    if answer.headers.get("content-type", "").partition(";")[0] == "application/json":
        return json.dumps(_output(answer), indent=2, ensure_ascii=False) + "\n"
    text = answer.body.decode("utf-8", "replace")
    return text if text.endswith("\n") or not text else text + "\n"


def _failure(answer: Answer) -> CommandFailed:
    from ..client import not_flux
    from ..errors import CommandFailed, refused

    error = answer.error()
    if error is None:
        if "x-request-id" not in answer.headers:
            return not_flux(answer.status)
        return CommandFailed(f"the function answered {answer.status}: {answer.body[:200].decode('utf-8', 'replace')}")
    if error.get("code") in _BEFORE_THE_FUNCTION:
        return refused(answer.status, error)
    return CommandFailed(
        str(error.get("message")), code=str(error.get("code")), violations=error.get("violations") or ()
    )

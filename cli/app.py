"""What can be typed. Every command talks to the HTTP API, except for init, serve, dev and doctor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.main import get_command

from .commands import (
    db,
    doctor,
    explain,
    generate,
    invoke,
    keys,
    logs,
    policy,
    project,
    replay,
    serve,
    state,
    tail,
    trace,
    version,
)

# Plain help: importing rich would triple the time that `flux --help` takes.
app = typer.Typer(
    name="flux",
    help="A backend runtime that records every execution.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fine, 1 the answer is bad, 2 usage, 3 not allowed, 4 not found, 5 conflict, 6 unreachable.",
)
GROUPS = (
    *(project, serve, trace, explain, tail, logs, invoke, replay, state),
    *(db, generate, keys, policy, doctor, version),
)
for group in GROUPS:
    group.register(app)

Aborted = typer.Abort
# Typer does not export its usage errors (unknown option, missing argument); this is their common class.
Misused: type[Exception] = typer.BadParameter.__mro__[2]


def run(arguments: Sequence[str] | None) -> Any:
    """What the command returned, or the code it exited with. Raises Aborted, Misused, and what the command raises."""
    parsed = None if arguments is None else list(arguments)
    return get_command(app).main(args=parsed, prog_name="flux", standalone_mode=False)

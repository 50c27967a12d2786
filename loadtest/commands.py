"""`python -m loadtest`: compare, kill, memory, first-request, run."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
import uvloop
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from . import environment, footprint, report
from .compare import compare as run_compare
from .contender import ALL, BY_NAME
from .figures import PERCENTILES
from .kill import Kill, Plan, Victim, kill_under_load
from .load import Generator, Load, OutOfBounds
from .loopback import NotLoopback, require_loopback
from .processes import ContenderFailed
from .report import Comparison
from .scenario import Name
from .wrk import WrkFailed

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Load tests of Flux beside other stacks. Loopback only; every run is bounded in count and time.",
)
console = Console()

Seconds = Annotated[int, typer.Option(help="Length of one round.")]
Connections = Annotated[int, typer.Option(help="Callers at once.")]
Workers = Annotated[int, typer.Option(help="Flux's workers.")]
Scenario = Annotated[Name, typer.Option(help="What is sent.")]
Rate = Annotated[float, typer.Option(help="Open loop at this many requests/s; 0: closed loop.")]


@app.command()
def compare(
    scenario: Scenario = "hello",
    seconds: Seconds = 5,
    rounds: Annotated[int, typer.Option(help="Rounds a contender.")] = 5,
    connections: Connections = 32,
    workers: Workers = 1,
    rate: Rate = 0.0,
    generator: Annotated[Generator, typer.Option(help="auto: wrk where it can, else the own client.")] = "auto",
    warmup: Annotated[int, typer.Option(help="Seconds of load before the first round.")] = 2,
    sample: Annotated[int, typer.Option(help="Requests a round whose traces are looked up by ID.")] = 200,
    consume: Annotated[bool, typer.Option(help="Flux consumes its queued jobs during the run.")] = False,
    contenders: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(BY_NAME),
    baseline: Annotated[str, typer.Option(help="Ratios are to this one; default: the first that takes part.")] = "",
    output: Annotated[Path, typer.Option(help="Where the folder of results is made.")] = report.RESULTS,
) -> None:
    """Flux beside bare aiohttp and FastAPI + OpenTelemetry, interleaved in one run."""
    chosen = [BY_NAME[_known(name)] for name in contenders.split(",")]
    taking_part = [contender for contender in chosen if scenario in contender.scenarios]
    load = Load(
        scenario=scenario, seconds=seconds, rounds=rounds, connections=connections, rate=rate, generator=generator,
        warmup_s=warmup, sample=sample,
    )  # fmt: skip
    described = environment.describe()
    rounds_made, postgres = uvloop.run(
        run_compare(load, taking_part, workers=workers, consume=consume, progress=console.print)
    )
    comparison = Comparison(
        load=load, workers=workers, consume=consume, baseline=_known(baseline or taking_part[0].name),
        environment={**described, "postgres": postgres}, rounds=rounds_made,
    )  # fmt: skip
    report.show(comparison, console)
    console.print(f"written to {report.save(comparison, output)}")


@app.command()
def kill(
    what: Annotated[Literal["otel", "flux"], typer.Option(help="Which contender.")] = "flux",
    victim: Annotated[Victim, typer.Option(help="Who gets SIGKILL.")] = "all",
    scenario: Scenario = "create_user",
    kills: Annotated[int, typer.Option(help="How often.")] = 5,
    seconds: Annotated[float, typer.Option(help="Load before each kill, on average.")] = 2.0,
    connections: Connections = 32,
    workers: Workers = 2,
    output: Annotated[Path, typer.Option(help="Where the folder of results is made.")] = report.RESULTS,
) -> None:
    """kill -9 under load: how many answered requests have no record afterwards. Exit code 1 when there are any."""
    plan = Plan(
        contender=BY_NAME[what], victim=victim, scenario=scenario, kills=kills, seconds=seconds,
        connections=connections, workers=workers,
    )  # fmt: skip

    def progress(entry: Kill) -> None:
        errors = ", ".join(f"{count} {kind}" for kind, count in entry.errors.items()) or "no errors"
        console.print(
            f"kill {entry.number}/{kills}  {entry.victim}: {entry.answered:,} answered, {entry.lost} lost; {errors}"
        )

    described = environment.describe()
    found = uvloop.run(kill_under_load(plan, progress))
    lost = sum(entry.lost for entry in found)
    console.print(f"[bold]{sum(entry.answered for entry in found):,} answered, {lost} lost in {kills} kills[/]")
    folder = report.new_folder(output, f"kill-{what}-{victim}")
    report.write_json(
        folder / "kill.json", {"environment": described, "what": what, "kills": [asdict(entry) for entry in found]}
    )
    console.print(f"written to {folder}")
    raise typer.Exit(1 if lost else 0)


@app.command()
def memory(
    workers: Workers = 2,
    project: Annotated[Path | None, typer.Option(help="Folder with functions/; default: the load test's own.")] = None,
) -> None:
    """Memory of an idle Flux: proportional set size of every process, without Postgres."""
    shares = uvloop.run(footprint.memory(workers=workers, project=project))
    table = Table("process", "PSS MB")
    for share in shares:
        table.add_row(share.title, f"{share.pss_bytes / 1e6:.1f}")
    table.add_section()
    table.add_row("together", f"{sum(share.pss_bytes for share in shares) / 1e6:.1f}")
    console.print(table)


@app.command("first-request")
def first_request(workers: Workers = 1, starts: Annotated[int, typer.Option(help="Fresh starts.")] = 3) -> None:
    """The first request to each function just deployed, beside warm ones."""
    table = Table("function", "first, ms (each start)", "warm p50, ms")
    for entry in uvloop.run(footprint.first_requests(workers=workers, starts=starts)):
        table.add_row(entry.function, "  ".join(f"{value:.1f}" for value in entry.first_ms), f"{entry.warm_ms:.2f}")
    console.print(table)


@app.command()
def run(
    url: Annotated[str, typer.Argument(help="A server on this machine, such as http://127.0.0.1:4000.")],
    scenario: Scenario = "hello",
    seconds: Seconds = 5,
    connections: Connections = 32,
    rate: Rate = 0.0,
    generator: Annotated[Generator, typer.Option()] = "auto",
) -> None:
    """Loads a server that already runs. Loopback only."""
    address = require_loopback(url)
    load = Load(scenario=scenario, seconds=seconds, connections=connections, rate=rate, generator=generator)
    tally, _ = uvloop.run(load.run(address, secrets.token_hex(6)))
    latencies = "  ".join(
        f"p{percent:g} {tally.latencies.percentile(percent) / 1000:.2f} ms" for percent in PERCENTILES
    )
    console.print(f"{load.method}\n{tally.requests / tally.seconds:,.0f} requests/s  {latencies}")
    console.print(f"errors: {dict(tally.errors) or 'none'}")


def main() -> None:
    """The command line; what a user can mend is one line and exit code 2, not a traceback."""
    try:
        app(prog_name="loadtest")
    except (ContenderFailed, NotLoopback, OutOfBounds, WrkFailed) as error:
        console.print(f"[red]{type(error).__name__}[/]: {escape(str(error))}")
        raise SystemExit(2) from error


def _known(name: str) -> str:
    if name not in BY_NAME:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(contender.name for contender in ALL)}")
    return name

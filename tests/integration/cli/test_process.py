"""What only shows in a process of its own: pipes, terminals, signals, start-up, completion."""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import IO, Any

import pytest

from tests.unit.cli.recorded import recorded

from .conftest import ROOT
from .recorded_api import RecordedApi

Spawn = Callable[..., subprocess.Popen[Any]]

# The command's own budget is 150 ms of CPU on a quiet machine; a test machine may be busy with other things.
HELP_CPU_S = 0.5


def output_of(process: subprocess.Popen[Any]) -> IO[Any]:
    assert process.stdout is not None
    return process.stdout


def errors_of(process: subprocess.Popen[Any]) -> IO[Any]:
    assert process.stderr is not None
    return process.stderr


def test_closed_pipe_ends_quietly(api: RecordedApi, spawn: Spawn) -> None:
    api.streams = [recorded("page")["items"] * 2000]
    process = spawn("tail")
    output_of(process).readline()
    output_of(process).close()
    assert process.wait(20) == 0
    assert errors_of(process).read() == b""


@pytest.mark.parametrize("arguments", [("--help",), ("trace", "4f9a3b2c"), ("trace", "--help")])
def test_output_that_nobody_reads(api: RecordedApi, spawn: Spawn, arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = spawn(*arguments, stdout=writing)
    os.close(writing)
    process.wait(20)
    assert errors_of(process).read() == b""


@pytest.mark.parametrize(("port", "told"), [("4543x", "'4543x'"), ("1", "Connection refused")])
def test_a_server_that_reaches_no_postgres(tmp_path: Path, spawn: Spawn, port: str, told: str) -> None:
    (tmp_path / "functions").mkdir()
    url = f"postgresql://flux@127.0.0.1:{port}/app"
    process = spawn("serve", "--port", "0", "--data", "data", cwd=tmp_path, env={"DATABASE_URL": url})
    assert process.wait(20) == 2
    first, *more = errors_of(process).read().decode().splitlines()
    assert first.startswith("error: Cannot connect to Postgres: ")
    assert told in first
    assert first.endswith("Check DATABASE_URL. (USAGE)")
    assert more == []


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell without job control starts `make test &` with SIGINT ignored, which children inherit: not these."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupt_ends_without_a_traceback(api: RecordedApi, spawn: Spawn) -> None:
    api.streams = [recorded("page")["items"], []]
    process = spawn("tail")
    output_of(process).readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert b"Traceback" not in errors_of(process).read()


# Each makes `flux tail` of a silent server interrupt itself where that was once not enough to end it quietly.
INTERRUPTED = {
    "while it imports": """
        def watch(event, arguments):
            if event == "import" and arguments[0] == "typer":
                signal.raise_signal(signal.SIGINT)
        sys.addaudithook(watch)
    """,
    "where exceptions are dropped": """
        class Dropping:
            def __del__(self):
                signal.raise_signal(signal.SIGINT)
        reads(Dropping)
    """,
    # In C from the signal to the call, as it is when a signal comes between Python's last look and the call.
    "just before a call that waits": """
        interrupt = partial(ctypes.CDLL(None)["raise"], signal.SIGINT)
        wait = partial(os.read, os.pipe()[0], 1)
        reads(lambda: deque(map(operator.call, [interrupt, wait]), maxlen=0))
    """,
    "before output that nobody takes": """
        def fill():
            os.set_blocking(1, False)
            with suppress(BlockingIOError):
                while os.write(1, bytes(4096)):
                    pass
            os.set_blocking(1, True)
            sys.stdout.write("the last line")
            signal.raise_signal(signal.SIGINT)
        reads(fill)
    """,
}
PRELUDE = """
import ctypes, operator, os, signal, sys
from collections import deque
from contextlib import suppress
from functools import partial

def reads(instead):
    import cli.client
    parse_events = cli.client.parse_events
    def interrupted(lines):
        instead()
        yield from parse_events(lines)
    cli.client.parse_events = interrupted
"""


def tail_with(code: str) -> tuple[int, bytes]:
    """The exit code and errors of `flux tail` after `code`, with a pipe for output that nobody reads."""
    program = "\n".join([PRELUDE, dedent(code), "from cli.main import main", "sys.exit(main())"])
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}
    unread, writing = os.pipe()
    try:
        command = [sys.executable, "-c", program, "tail"]
        run = subprocess.run(command, env=env, stdout=writing, stderr=subprocess.PIPE, timeout=20, check=False)
    finally:
        os.close(unread)
        os.close(writing)
    return run.returncode, run.stderr


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("moment", INTERRUPTED)
def test_interrupt_at_any_moment(api: RecordedApi, moment: str) -> None:
    assert tail_with(INTERRUPTED[moment]) == (130, b"")


@pytest.mark.usefixtures("interruptible")
def test_interrupt_of_an_import_with_something_to_tidy(api: RecordedApi) -> None:
    code = """
        def stop_again():
            import cli.interrupt
            cli.interrupt.something_to_tidy = True
            sys.addaudithook(lambda event, _: event == "import" and signal.raise_signal(signal.SIGINT))
            try:
                import this
            finally:
                os.write(2, b"stopped")
        reads(stop_again)
    """
    assert tail_with(code) == (130, b"stopped")


def on_a_terminal(spawn: Spawn, *arguments: str, **env: str) -> str:
    ours, theirs = pty.openpty()
    process = spawn(*arguments, stdout=theirs, env={"TERM": "xterm-256color", "NO_COLOR": "", **env})
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65_536):
            shown += chunk
    except OSError:  # how a pseudo-terminal says that the other end was closed
        pass
    finally:
        os.close(ours)
    assert process.wait(20) == 0
    return shown.decode()


def test_colours_on_a_terminal_only(api: RecordedApi, spawn: Spawn) -> None:
    assert "\x1b[32m200\x1b[0m" in on_a_terminal(spawn, "trace", "4f9a3b2c")
    assert "\x1b" not in on_a_terminal(spawn, "trace", "4f9a3b2c", NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(spawn, "trace", "4f9a3b2c", TERM="dumb")
    process = spawn("trace", "4f9a3b2c")
    assert b"\x1b" not in process.communicate(timeout=20)[0]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(spawn: Spawn, shell: str) -> None:
    # Typer asks the parent process which shell it is, unless told not to.
    process = spawn("--show-completion", shell, env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert b"_FLUX_COMPLETE" in out


def test_completion_of_commands(spawn: Spawn) -> None:
    process = spawn(env={"_FLUX_COMPLETE": "complete_bash", "COMP_WORDS": "flux tr", "COMP_CWORD": "1"})
    assert process.communicate(timeout=20)[0].split() == [b"trace"]


def test_help_starts_fast() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "cli", "--help"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < HELP_CPU_S


def test_help_imports_nothing_heavy() -> None:
    heavy = ("aiohttp", "asyncio", "asyncpg", "http.client", "rich", "uvloop", "flux.config", "flux.master")
    code = f"import sys; from cli.main import main; main(['--help']); print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert run.stdout.splitlines()[-1] == "[]"

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.main import main

from .recorded_api import KEY, RecordedApi, serving

ROOT = Path(__file__).resolve().parents[3]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedApi]:
    """A server, and a current folder whose project it serves."""
    for name in ("FLUX_URL", "FLUX_KEY", "FLUX_DATA"):
        monkeypatch.delenv(name, raising=False)
    with serving(RecordedApi()) as running:
        data = tmp_path / ".flux"
        data.mkdir()
        (data / "server.json").write_text(json.dumps({"pid": os.getpid(), "url": running.url, "started_at": ""}))
        (data / "operator.key").write_text(KEY + "\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        yield running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process: (exit code, output, errors)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[Any]]]:
    """Starts `flux ARGUMENTS` as a process of its own."""
    started: list[subprocess.Popen[Any]] = []

    def spawn(*arguments: str, **options: Any) -> subprocess.Popen[Any]:
        env = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        process = subprocess.Popen([sys.executable, "-m", "cli", *arguments], env=env, **{**pipes, **options})
        started.append(process)
        return process

    yield spawn
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

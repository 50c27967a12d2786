from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cli.diagnosis import project
from cli.diagnosis.finding import FAILED, OK, WARNING
from flux.config import Settings, load


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path, env={})


def test_functions(settings: Settings) -> None:
    assert project.functions(settings).state == WARNING
    settings.functions.mkdir()
    (settings.functions / "hello.ts").touch()
    (settings.functions / "notes.md").touch()
    assert project.functions(settings).detail.startswith("1 in ")


def test_data_folder(tmp_path: Path) -> None:
    assert project.data_folder(tmp_path / "not" / "yet").state == OK
    assert not (tmp_path / "not").exists()
    assert project.data_folder(Path("/proc/flux")).state == FAILED


def test_port_that_somebody_else_has(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        settings = load(tmp_path, {"server.port": number}, env={})
        assert project.port(settings, served=None).state == FAILED
        assert project.port(settings, served=number + 1).state == FAILED
        assert project.port(settings, served=number).state == OK
    assert project.port(settings, served=None).state == OK


def test_embedded_postgres(settings: Settings) -> None:
    assert project.postgres(settings).detail == "embedded, starts with the server"


def test_external_postgres_that_does_not_answer(tmp_path: Path) -> None:
    settings = load(tmp_path, {"database.url": "postgresql://127.0.0.1:1/none"}, env={})
    assert project.postgres(settings).state == FAILED


@pytest.mark.parametrize(
    ("number", "skew", "state"),
    [(180_004, 0.01, OK), (150_000, 0.0, OK), (140_019, 0.0, FAILED), (170_000, 3.0, WARNING)],
)
def test_postgres_version_and_clock(number: int, skew: float, state: str) -> None:
    assert project.judged(number, "some version", skew).state == state

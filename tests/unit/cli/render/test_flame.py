from __future__ import annotations

import pytest

from cli.render.flame import flame_lines
from tests.unit.cli.recorded import recorded


def test_bars_on_one_time_line() -> None:
    assert (
        "\n".join(flame_lines(recorded("create_user"), width=72))
        == """\
  Trace 4f9a3b2c  POST /create_user  200

  gateway             █▎                                        3ms
  create_user               █████████████████████████████████▏  81ms
    db:select(users)        █████▍                              11ms
    db:insert(users)             ██████▌                        14ms
  send_welcome                            ▸                     queued
                      0ms               49ms              98ms"""
    )


def test_failed_execution_shows_its_error() -> None:
    assert flame_lines(recorded("signup_failed"))[-2:] == [
        "  ✗ FUNCTION_ERROR  Stripe timeout",
        "    at payments/create.ts:42",
    ]


def test_span_without_answer_reaches_to_the_end() -> None:
    execution = recorded("create_user")
    execution["spans"][3]["status"] = "open"
    line = next(line for line in flame_lines(execution, width=72) if "db:insert" in line)
    assert line.endswith("█  no answer")


@pytest.mark.parametrize("width", [10, 72, 100, 300])
def test_every_bar_takes_the_same_room(width: int) -> None:
    lines = flame_lines(recorded("create_user"), width=width)[2:7]
    assert len({line.rindex("  ") for line in lines}) == 1
    assert max(map(len, lines)) <= max(width, 72)


def test_execution_that_took_no_time() -> None:
    execution = recorded("create_user") | {"duration_ms": 0, "children": []}
    execution["spans"] = [{**execution["spans"][0], "duration_us": 0}]
    assert "▏" in flame_lines(execution)[2]

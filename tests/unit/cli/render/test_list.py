from __future__ import annotations

from datetime import UTC, datetime

from cli.render.list import execution_table, tail_line
from cli.render.text import Paint
from tests.unit.cli.recorded import recorded

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)


def test_recent_executions_as_a_table() -> None:
    assert (
        "\n".join(execution_table(recorded("page")["items"], now=NOW, zone=UTC))
        == """\
TIME                 ID        REQUEST            STATUS  DURATION  FUNCTION
14:03:22.250         9c1d2e3f  job send_welcome   200     41ms      send_welcome
14:03:22.104         4f9a3b2c  POST /create_user  200     98ms      create_user
2026-11-21 14:01:10  550e8400  POST /signup       500     10.0s     signup"""
    )


def test_only_the_status_is_coloured() -> None:
    *_, last = execution_table(recorded("page")["items"], now=NOW, zone=UTC, paint=Paint(enabled=True))
    assert last == "2026-11-21 14:01:10  550e8400  POST /signup       \x1b[31m500   \x1b[0m  10.0s     signup"


def test_long_paths_are_shortened_and_replays_marked() -> None:
    item = {**recorded("page")["items"][1], "path": "/" + "x" * 200}
    replay = {**recorded("page")["items"][1], "replay_of": item["request_id"]}
    _, long, marked = execution_table([item, replay], now=NOW, zone=UTC)
    assert "xxx…  200" in long
    assert "POST /create_user (replay)  " in marked


def test_tail_lines_keep_their_columns() -> None:
    job, request, failed = (tail_line(item, zone=UTC) for item in recorded("page")["items"])
    assert job == "14:03:22.250  9c1d2e3f  job send_welcome              200     41ms  send_welcome"
    assert request == "14:03:22.104  4f9a3b2c  POST /create_user             200     98ms  create_user"
    assert failed == (
        "14:01:10.000  550e8400  POST /signup                  500    10.0s  signup  ✗ FUNCTION_ERROR  Stripe timeout"
    )

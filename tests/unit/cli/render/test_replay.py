from __future__ import annotations

from typing import Any

from cli.render.replay import replay_lines

MATCHING: dict[str, Any] = {
    "request_id": "9c1d2e3f-0000-4000-8000-000000000001",
    "of": "4f9a3b2c-1d2e-4f5a-8b6c-7d8e9f0a1b2c",
    "status": 200,
    "match": True,
    "recorded": {"status": 200, "output": {"id": 42}, "error": None},
    "replayed": {"status": 200, "output": {"id": 42}, "error": None},
    "divergences": [],
}


def test_same_result() -> None:
    assert replay_lines(MATCHING) == ["  Replay 9c1d2e3f of 4f9a3b2c", "", "  ✔ 200, same result"]


def test_differences_and_divergences() -> None:
    answer = MATCHING | {
        "match": False,
        "replayed": {"status": 500, "output": None, "error": {"code": "DIVERGENCE", "message": "not in the record"}},
        "divergences": [{"seq": 3, "op": "db.find", "recorded": None, "asked": {"table": "users"}}],
    }
    assert (
        "\n".join(replay_lines(answer))
        == """\
  Replay 9c1d2e3f of 4f9a3b2c

  ✗ the result differs
    status  recorded  200
            replayed  500
    output  recorded  {"id": 42}
            replayed  nothing
    error   recorded  nothing
            replayed  DIVERGENCE  not in the record

  ! divergence at call 3, db.find
    recorded  nothing
    asked     {"table": "users"}"""
    )

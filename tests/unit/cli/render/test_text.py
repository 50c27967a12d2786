from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cli.render.text import PLAIN, Paint, clean, duration, moment, shorten, source_of, subject


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, "-"),
        (0, "0ms"),
        (0.04, "0.04ms"),
        (0.094, "0.09ms"),
        (0.095, "0.1ms"),
        (0.4, "0.4ms"),
        (0.949, "0.9ms"),
        (0.95, "1ms"),
        (3.1, "3ms"),
        (81, "81ms"),
        (999.4, "999ms"),
        (999.6, "1.0s"),
        (1234, "1.2s"),
        (59_940, "59.9s"),
        (59_960, "1m00s"),
        (125_000, "2m05s"),
    ],
)
def test_duration(ms: float | None, shown: str) -> None:
    assert duration(ms) == shown


def test_moment_is_short_for_the_last_day() -> None:
    now = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
    assert moment("2026-11-22T14:03:22.104250Z", now, UTC) == "14:03:22.104"
    assert moment("2026-11-20T14:03:22.104250Z", now, UTC) == "2026-11-20 14:03:22"
    assert moment("2026-11-22T14:03:22.104250Z", now, timezone(timedelta(hours=2))) == "16:03:22.104"


def test_subject() -> None:
    assert subject({"kind": "http", "method": "GET", "path": "/users/1", "function": "user"}) == "GET /users/1"
    assert subject({"kind": "job", "function": "mail", "method": "", "path": ""}) == "job mail"
    assert subject({"kind": "replay", "function": "mail", "method": "", "path": None}) == "mail"


def test_clean_spells_control_characters_and_leaves_text() -> None:
    assert clean("naïve ✔ 日本") == "naïve ✔ 日本"
    assert clean("a\tb\r\n\x1b[0m\x7f\x9b") == r"a\tb\r\n\x1b[0m\x7f\x9b"


def test_paint_leaves_no_empty_sequences() -> None:
    assert Paint(enabled=True).red("") == ""
    assert Paint(enabled=True).red("x") == "\x1b[31mx\x1b[0m"
    assert PLAIN.red("x") == "x"


@pytest.mark.parametrize(("status", "colour"), [(200, 32), (302, 32), (404, 33), (500, 31)])
def test_status_has_the_colour_of_its_class(status: int, colour: int) -> None:
    assert Paint(enabled=True).status(status) == f"\x1b[{colour}m{status}\x1b[0m"


def test_source_of_an_error() -> None:
    assert source_of({"source": "a.ts:4"}) == "a.ts:4"
    assert source_of({"source": {"file": "a.ts", "line": 4}}) == "a.ts:4"
    assert source_of({}) is None


def test_shorten() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"

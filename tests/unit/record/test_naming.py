"""What spans are called."""

from __future__ import annotations

from typing import Any

import pytest

from flux.record.naming import SQL_NAME_LENGTH, name


@pytest.mark.parametrize(
    ("op", "args", "expected"),
    [
        ("db.findOne", {"table": "users"}, ("db", "db:select(users)")),
        ("db.insertMany", {"table": "users"}, ("db", "db:insert(users)")),
        ("db.sql", {"text": "SELECT  1\n FROM t"}, ("db", "db:sql(SELECT 1 FROM t)")),
        ("db.begin", {}, ("db", "db:begin")),
        ("queue.push", {"function": "send_welcome"}, ("queue", "queue:push(send_welcome)")),
        ("fetch", {"method": "GET", "url": "https://a.b/c?secret=1"}, ("outbound", "fetch(GET a.b/c)")),
        ("secrets.get", {"name": "KEY"}, ("secrets", "secrets:get(KEY)")),
        ("invoke", {"function": "f"}, ("invoke", "invoke(f)")),
        ("sleep", {"ms": 5}, ("time", "sleep(5ms)")),
        ("crypto.digest", {}, ("crypto", "crypto:digest")),
        ("unheard", {}, ("unheard", "unheard")),
    ],
)
def test_names(op: str, args: dict[str, Any], expected: tuple[str, str]) -> None:
    assert name(op, args) == expected


def test_a_long_statement_is_shortened() -> None:
    _, label = name("db.sql", {"text": "SELECT " + "x" * 100})
    assert len(label) == len("db:sql()") + SQL_NAME_LENGTH

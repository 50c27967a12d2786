from __future__ import annotations

import asyncpg
import pytest
from asyncpg import exceptions as pg

from flux.workers.host.database_errors import columns_of, is_lost, translate


@pytest.mark.parametrize(
    ("column", "detail", "expected"),
    [
        ("email", None, ["email"]),
        (None, "Key (email)=(a@b.c) already exists.", ["email"]),
        (None, "Key (a, b)=(1, 2) already exists.", ["a", "b"]),
        (None, 'Key ("Odd name")=(x) is not present in table "t".', ["Odd name"]),
        (None, "something else", []),
        (None, None, []),
    ],
)
def test_columns(column: str | None, detail: str | None, expected: list[str]) -> None:
    assert columns_of(column, detail) == expected


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (pg.UniqueViolationError("x"), "UNIQUE_VIOLATION", 409),
        (pg.NotNullViolationError("x"), "NOT_NULL_VIOLATION", 400),
        (pg.SerializationError("x"), "SERIALIZATION_FAILURE", 409),
        (pg.DeadlockDetectedError("x"), "DEADLOCK", 409),
        (pg.QueryCanceledError("x"), "QUERY_TIMEOUT", 504),
        (pg.InvalidTextRepresentationError("x"), "INVALID_VALUE", 400),
        (pg.PostgresSyntaxError("x"), "INVALID_SQL", 400),
        (pg.InsufficientPrivilegeError("x"), "SQL_DENIED", 403),
        (pg.RaiseError("x"), "RAISED", 400),
        (pg.DiskFullError("x"), "DATABASE_ERROR", 500),
        (pg.AdminShutdownError("x"), "DATABASE_UNAVAILABLE", 503),
        (pg.CannotConnectNowError("x"), "DATABASE_UNAVAILABLE", 503),
        (ConnectionResetError(), "DATABASE_UNAVAILABLE", 503),
        (asyncpg.InterfaceError("connection is closed"), "DATABASE_UNAVAILABLE", 503),
        (TimeoutError(), "QUERY_TIMEOUT", 504),
        (OverflowError("x"), "INVALID_VALUE", 400),
        (RuntimeError("x"), "DATABASE_ERROR", 500),
    ],
)
def test_codes(error: Exception, code: str, status: int) -> None:
    translated = translate(error)
    assert (translated.code, translated.status) == (code, status)
    assert translated.details.get("retryable", False) == (
        code in ("SERIALIZATION_FAILURE", "DEADLOCK", "DATABASE_UNAVAILABLE")
    )


def test_a_timeout_is_not_a_lost_connection() -> None:
    assert not is_lost(TimeoutError())

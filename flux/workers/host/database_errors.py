"""What goes wrong between asyncpg and Postgres, as host errors: `translate(exception) -> HostError`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import asyncpg
from asyncpg import exceptions as pg

from flux.data.compiler import forbidden_row, is_refused
from flux.failure import HostError, invalid

# The connection is gone, or was never made. OSError: the socket refused or is not there (Postgres restarts).
LOST = (
    pg.PostgresConnectionError,
    pg.AdminShutdownError,
    pg.CrashShutdownError,
    pg.CannotConnectNowError,
    pg.ConnectionDoesNotExistError,
    OSError,
)

# 'Key (email)=(a@b.c) already exists.' The columns stand in the first parentheses, quoted where they must be.
_KEY_COLUMNS = re.compile(r"^Key \((.*?)\)=\(")


def is_stale(error: BaseException) -> bool:
    """True when the statement named what is no longer there: the catalogue must be read again."""
    return isinstance(
        error, pg.UndefinedTableError | pg.UndefinedColumnError | pg.UndefinedObjectError | pg.InvalidSchemaNameError
    )


def is_lost(error: BaseException) -> bool:
    """True when it is the connection that failed, not the statement."""
    if isinstance(error, TimeoutError):  # an OSError since Python 3.10
        return False
    return isinstance(error, LOST) or is_unsent(error)


def is_unsent(error: BaseException) -> bool:
    """True when the connection failed before anything was sent: the same can be tried on another one, writes, too.

    asyncpg checks its own state first. One that finds the server's farewell in it (the socket is not closed yet, the
    error message has arrived) cannot switch to the next state and says so with an InternalClientError.
    """
    if isinstance(error, pg.InternalClientError):
        return "cannot switch to state" in str(error) or "not connected" in str(error)
    return isinstance(error, asyncpg.InterfaceError) and any(
        words in str(error) for words in ("connection is clos", "connection has been released", "pool is clos")
    )


def translate(error: Exception) -> HostError:
    """The host error that stands for `error`, which asyncpg raised."""
    if isinstance(error, HostError):
        return error
    if is_lost(error):
        return HostError(
            "DATABASE_UNAVAILABLE",
            503,
            "The connection to the database failed; a statement that writes may or may not have been carried out.",
            {"retryable": True},
        )
    if isinstance(error, asyncpg.PostgresError):
        return _from_server(error)
    if isinstance(error, TimeoutError):
        return HostError("QUERY_TIMEOUT", 504, "The database did not answer in time.")
    if isinstance(error, ValueError | OverflowError):  # asyncpg: a value does not fit a parameter's, or Python's, type
        return HostError("INVALID_VALUE", 400, str(error))
    return HostError("DATABASE_ERROR", 500, f"{type(error).__name__}: {error}")


def of_query(error: HostError) -> HostError:
    """What `translate` said, for a query of the format. Its SQL is ours, so what is wrong is what it asks for: a type's
    missing operator, words that are no search.
    """
    if error.code != "INVALID_SQL":
        return error
    return HostError("INVALID_ARGUMENT", 400, error.message, error.details)


def _from_server(error: asyncpg.PostgresError) -> HostError:
    message = str(error.message or error)
    if is_refused(error.sqlstate, message):
        return forbidden_row()
    if isinstance(error, pg.CardinalityViolationError) and "ON CONFLICT" in message:
        return invalid('"data" has two rows that are the same one: their values of "on_conflict" are equal.')
    hint = getattr(error, "hint", None)
    if hint:
        message += f" ({hint})"
    for kinds, code, status, details in _TABLE:
        if isinstance(error, kinds):
            return HostError(code, status, message, details(error))
    return HostError("DATABASE_ERROR", 500, message, _sqlstate(error))


def _sqlstate(error: asyncpg.PostgresError) -> dict[str, Any]:
    return {"sqlstate": error.sqlstate} if error.sqlstate else {}


def _where(error: asyncpg.PostgresError) -> dict[str, Any]:
    """Constraint, table and columns, as far as Postgres names them."""
    found = {
        "constraint": getattr(error, "constraint_name", None),
        "table": getattr(error, "table_name", None),
        "columns": columns_of(getattr(error, "column_name", None), getattr(error, "detail", None)),
    }
    return {key: value for key, value in found.items() if value}


def columns_of(column: str | None, detail: str | None) -> list[str]:
    """The columns that an error is about, from its column field or from the detail 'Key (a, b)=(1, 2) ...'."""
    if column:
        return [column]
    match = _KEY_COLUMNS.match(detail or "")
    return [name.strip().strip('"') for name in match[1].split(", ")] if match else []


def _retryable(error: asyncpg.PostgresError) -> dict[str, Any]:
    return {"retryable": True}


def _nothing(error: asyncpg.PostgresError) -> dict[str, Any]:
    return {}


Kinds = tuple[type[asyncpg.PostgresError], ...]
Details = Callable[[asyncpg.PostgresError], dict[str, Any]]

# The first line that fits counts; the message is Postgres' own, which names table, column or constraint.
_TABLE: tuple[tuple[Kinds, str, int, Details], ...] = (
    ((pg.UniqueViolationError,), "UNIQUE_VIOLATION", 409, _where),
    ((pg.ForeignKeyViolationError, pg.RestrictViolationError), "FOREIGN_KEY_VIOLATION", 409, _where),
    ((pg.CheckViolationError,), "CHECK_VIOLATION", 409, _where),
    ((pg.ExclusionViolationError,), "EXCLUSION_VIOLATION", 409, _where),
    ((pg.NotNullViolationError,), "NOT_NULL_VIOLATION", 400, _where),
    ((pg.SerializationError,), "SERIALIZATION_FAILURE", 409, _retryable),
    ((pg.DeadlockDetectedError,), "DEADLOCK", 409, _retryable),
    ((pg.LockNotAvailableError,), "LOCK_NOT_AVAILABLE", 409, _retryable),
    ((pg.QueryCanceledError,), "QUERY_TIMEOUT", 504, _nothing),
    ((pg.InFailedSQLTransactionError,), "TRANSACTION_ABORTED", 409, _nothing),
    ((pg.InsufficientPrivilegeError,), "SQL_DENIED", 403, _nothing),
    ((pg.TooManyConnectionsError,), "DATABASE_BUSY", 503, _retryable),
    (
        (
            *(pg.DataError, pg.IntegrityConstraintViolationError, pg.WithCheckOptionViolationError),
            # Too many dimensions, levels, characters in an index entry: a value is more than Postgres takes.
            pg.ProgramLimitExceededError,
        ),
        "INVALID_VALUE",
        400,
        _where,
    ),
    (
        (pg.SyntaxOrAccessError, pg.FeatureNotSupportedError, pg.CardinalityViolationError),
        "INVALID_SQL",
        400,
        _sqlstate,
    ),
    # RAISE EXCEPTION in a trigger or function of the team's own.
    ((pg.RaiseError,), "RAISED", 400, _where),
)

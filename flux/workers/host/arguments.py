"""Reading the arguments of a host call. Each function returns the value, or raises 400 INVALID_ARGUMENT naming it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flux.failure import invalid

Args = Mapping[str, Any]


def text(args: Args, name: str, *, max_length: int | None = None) -> str:
    value = args.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f'"{name}" must be a string that is not empty.')
    if max_length is not None and len(value) > max_length:
        raise invalid(f'"{name}" must be at most {max_length} characters long; it has {len(value)}.')
    return value


def optional_text(args: Args, name: str, *, max_length: int | None = None) -> str | None:
    return None if args.get(name) is None else text(args, name, max_length=max_length)


def integer(args: Args, name: str, *, default: int | None, minimum: int, maximum: int) -> int:
    """A whole number within bounds, both inclusive; `default` (if any) stands for a missing one."""
    value = args.get(name)
    if value is None and default is not None:
        return default
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise invalid(f'"{name}" must be a whole number from {minimum} to {maximum}.')
    return value


def number(args: Args, name: str) -> float:
    value = args.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise invalid(f'"{name}" must be a number.')
    return float(value)


def mapping(args: Args, name: str) -> dict[str, Any]:
    value = args.get(name)
    if not isinstance(value, dict):
        raise invalid(f'"{name}" must be an object.')
    return value

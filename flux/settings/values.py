"""One raw value (from TOML, an environment variable or the command line) to the type its setting declares."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from flux.settings.declare import Declared, show

_UNITS = {"": 1, "B": 1, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}
_SIZE = re.compile(r"(\d+)\s*([a-z]*)", re.IGNORECASE)
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def parse(raw: Any, setting: Declared, *, text: bool = False) -> Any:
    """`raw` as the setting's type, checked against its bounds. `text`: it comes from a place that only knows strings.

    Raises ValueError with what is expected instead.
    """
    value = _typed(raw, setting.type, setting.meta.unit, text)
    meta = setting.meta
    if value is not None and meta.minimum is not None and value < meta.minimum:
        raise ValueError(f"must be at least {show(_whole(meta.minimum), meta.unit)}")
    if value is not None and meta.maximum is not None and value > meta.maximum:
        raise ValueError(f"must be at most {show(_whole(meta.maximum), meta.unit)}")
    if meta.power_of_two and value & (value - 1):
        raise ValueError("must be a power of two")
    if meta.check is not None:
        meta.check(value)
    return value


def _whole(bound: float) -> float:
    return int(bound) if float(bound).is_integer() else bound


def _typed(raw: Any, kind: Any, unit: str, text: bool) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None if raw is None else _typed(raw, get_args(kind)[0], unit, text)
    if origin is Literal:
        if raw not in get_args(kind):
            raise ValueError("must be one of " + ", ".join(show(choice) for choice in get_args(kind)))
        return raw
    if origin is tuple:
        return _strings(raw, text)
    return _SCALARS[kind](raw, unit, text)


def _strings(raw: Any, text: bool) -> tuple[str, ...]:
    if text and isinstance(raw, str):
        return tuple(entry.strip() for entry in raw.split(",") if entry.strip())
    if not isinstance(raw, list | tuple) or not all(isinstance(entry, str) for entry in raw):
        raise ValueError('must be a list of strings, such as ["a", "b"]')
    return tuple(raw)


def _integer(raw: Any, unit: str, text: bool) -> int:
    if isinstance(raw, str) and unit == "bytes":
        match = _SIZE.fullmatch(raw.strip())
        if match and match[2].upper() in _UNITS:
            return int(match[1]) * _UNITS[match[2].upper()]
        raise ValueError('must be a number of bytes or a size such as "16 MiB"')
    if text and isinstance(raw, str) and re.fullmatch(r"[+-]?\d+", raw.strip()):
        return int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError(
            'must be a whole number or a size such as "16 MiB"' if unit == "bytes" else "must be a whole number"
        )
    return raw


def _number(raw: Any, unit: str, text: bool) -> float:
    if text and isinstance(raw, str) and re.fullmatch(r"[+-]?\d+(\.\d+)?", raw.strip()):
        return float(raw)
    if isinstance(raw, bool) or not isinstance(raw, int | float) or math.isnan(raw):
        raise ValueError("must be a number")
    return float(raw)


def _boolean(raw: Any, unit: str, text: bool) -> bool:
    if text and isinstance(raw, str) and raw.lower() in _TRUE | _FALSE:
        return raw.lower() in _TRUE
    if not isinstance(raw, bool):
        raise ValueError("must be true or false")
    return raw


def _string(raw: Any, unit: str, text: bool) -> str:
    if not isinstance(raw, str) or not raw:
        raise ValueError("must be a string that is not empty")
    return raw


def _path(raw: Any, unit: str, text: bool) -> Path:
    if not isinstance(raw, str | Path) or not str(raw):
        raise ValueError("must be the path of a folder")
    return Path(raw)


_SCALARS: dict[Any, Callable[[Any, str, bool], Any]] = {
    int: _integer,
    float: _number,
    bool: _boolean,
    str: _string,
    Path: _path,
}

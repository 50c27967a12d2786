"""How one setting is declared, and how a section's declarations are read back.

A setting is a dataclass field whose metadata holds what a reader and the parser need: unit, reason, bounds. The same
declaration is parsed, checked, shown by the CLI's help and printed in docs/SETTINGS.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, get_type_hints

_KEY = "setting"


@dataclass(frozen=True, kw_only=True, slots=True)
class Meta:
    """What is known of a setting besides name, type and default. `minimum` and `maximum` are inclusive."""

    reason: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    power_of_two: bool = False
    check: Callable[[Any], None] | None = None
    shown_default: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """One setting as declared: `name` within its section, resolved type, default value."""

    name: str
    type: Any
    default: Any
    meta: Meta

    @property
    def shown_default(self) -> str:
        return self.meta.shown_default or show(self.default, self.meta.unit)


def setting(
    default: Any,
    reason: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    power_of_two: bool = False,
    check: Callable[[Any], None] | None = None,
    shown_default: str = "",
) -> Any:
    """A dataclass field that is a setting. A callable `default` is called each time; `check` raises ValueError."""
    meta = Meta(
        reason=reason,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        power_of_two=power_of_two,
        check=check,
        shown_default=shown_default,
    )
    if callable(default):
        return field(default_factory=default, metadata={_KEY: meta})
    return field(default=default, metadata={_KEY: meta})


def declared(section: type) -> Iterator[Declared]:
    """The settings of a section, in the order of declaration."""
    types = get_type_hints(section)
    for entry in fields(section):
        meta = entry.metadata.get(_KEY)
        if meta is None:
            continue
        default = entry.default if entry.default is not MISSING else None
        if entry.default_factory is not MISSING:
            default = entry.default_factory()
        yield Declared(name=entry.name, type=types[entry.name], default=default, meta=meta)


_SIZES = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def show(value: Any, unit: str = "") -> str:
    """A value as one would write it in flux.toml (sizes in the largest unit that divides them)."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "not set"
    if isinstance(value, tuple):
        return "[" + ", ".join(show(entry) for entry in value) + "]"
    if isinstance(value, str):
        return f'"{value}"'
    if unit == "bytes" and isinstance(value, int):
        for size, name in _SIZES:
            if value and value % size == 0:
                return f'"{value // size} {name}"'
    return str(value)

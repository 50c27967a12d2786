"""The small pieces that every rendering shares: colour, durations, IDs, times, safe text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

Json = Mapping[str, Any]

SHORT_ID = 8

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours, or none: `Paint(enabled=False)` returns every text as it came."""

    enabled: bool = False

    def _wrap(self, sgr: str, text: str) -> str:
        return f"\x1b[{sgr}m{text}\x1b[0m" if self.enabled and text else text

    def bold(self, text: str) -> str:
        return self._wrap("1", text)

    def dim(self, text: str) -> str:
        return self._wrap("2", text)

    def red(self, text: str) -> str:
        return self._wrap("31", text)

    def green(self, text: str) -> str:
        return self._wrap("32", text)

    def yellow(self, text: str) -> str:
        return self._wrap("33", text)

    def cyan(self, text: str) -> str:
        return self._wrap("36", text)

    def status(self, status: int | None, width: int = 0) -> str:
        """An HTTP status in the colour of its class, padded to `width`."""
        text = ("-" if status is None else str(status)).ljust(width)
        if status is None:
            return self.dim(text)
        if status >= 500:
            return self.red(text)
        return self.yellow(text) if status >= 400 else self.green(text)


PLAIN = Paint()


def clean(text: str) -> str:
    r"""`text` on one line, with control characters spelled out (`\x1b`): what callers and functions send must not be
    able to steer the terminal of the person who reads it."""
    return _CONTROL.sub(_spell, text)


def _spell(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode()


def shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def short_id(request_id: str) -> str:
    return request_id[:SHORT_ID]


def duration(ms: float | None) -> str:
    """`0.04ms`, `0.4ms`, `3ms`, `81ms`, `1.2s`, `2m05s`; None is `-`."""
    if ms is None:
        return "-"
    if ms < 0.095:
        return f"{ms:.2f}ms" if ms > 0 else "0ms"
    if ms < 0.95:
        return f"{ms:.1f}ms"
    if ms < 999.5:
        return f"{ms:.0f}ms"
    if ms < 59_950:
        return f"{ms / 1000:.1f}s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes}m{seconds:02d}s"


def parse_time(iso: str) -> datetime:
    return datetime.fromisoformat(iso.replace("Z", "+00:00"))


def clock(iso: str, zone: tzinfo | None = None) -> str:
    """`14:03:22.104` in `zone` (None: this machine's)."""
    return parse_time(iso).astimezone(zone).strftime("%H:%M:%S.%f")[:-3]


def moment(iso: str, now: datetime, zone: tzinfo | None = None) -> str:
    """`14:03:22.104` for the last day, `2026-11-22 14:03:22` before that."""
    at = parse_time(iso)
    if timedelta() <= now - at < timedelta(hours=24):
        return clock(iso, zone)
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def subject(execution: Json) -> str:
    """What was asked for: `POST /create_user`, `job send_welcome`, `rehearsal hello`."""
    kind, function = execution.get("kind"), execution.get("function")
    if kind in ("job", "invoke", "rehearsal") and function:
        return clean(f"{kind} {function}")
    return clean(f"{execution.get('method') or ''} {execution.get('path') or function or ''}".strip())


def error_line(error: Json) -> str:
    """`EMAIL_TAKEN  email already registered`."""
    return clean("  ".join(str(error[key]) for key in ("code", "message") if error.get(key)))


def violation_line(violation: Json) -> str:
    """`user.email: not an email`."""
    path = violation.get("path")
    where = ".".join(map(str, path)) if isinstance(path, list) else str(path or "")
    return clean(f"{where or '(input)'}: {violation.get('message')}")


def source_of(error: Json) -> str | None:
    """`create_user.ts:12`, whether the API gives text or {"file", "line"}."""
    source = error.get("source")
    if isinstance(source, Mapping):
        return clean(f"{source.get('file')}:{source.get('line')}")
    return clean(str(source)) if source else None

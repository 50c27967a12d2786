from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli.commands.state import moment
from cli.errors import BadUsage

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)


def local(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-22T14:00:00Z", "2026-11-22T14:00:00.000000Z"),
        ("10m", "2026-11-22T14:50:00.000000Z"),
        ("9:05", local(f"{NOW.astimezone().date()}T09:05:00")),
        ("14:05:06.25", local(f"{NOW.astimezone().date()}T14:05:06.250000")),
    ],
)
def test_moments(text: str, meant: str) -> None:
    assert moment(text, NOW) == meant


@pytest.mark.parametrize("text", ["25:00", "soon", "1:2"])
def test_no_moments(text: str) -> None:
    with pytest.raises(BadUsage):
        moment(text, NOW)

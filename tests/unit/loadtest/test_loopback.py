from __future__ import annotations

import pytest

from loadtest.loopback import NotLoopback, require_loopback


@pytest.mark.parametrize(
    ("url", "port"),
    [("http://127.0.0.1:4000", 4000), ("http://127.9.9.9/x", 80), ("http://[::1]:81/", 81), ("http://localhost", 80)],
)
def test_this_machine_is_allowed(url: str, port: int) -> None:
    assert require_loopback(url)[1] == port


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:4000",
        "http://10.0.0.1",
        "http://0.0.0.0:4000",
        "http://[::]:4000",
        "http://127.0.0.1@192.0.2.1/",
        "http://192.0.2.1#127.0.0.1",
        "https://127.0.0.1",
        "http://127.0.0.1:99999",
        "http://",
        "127.0.0.1:4000",
        "",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    with pytest.raises(NotLoopback, match="this machine only"):
        require_loopback(url)

from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from .servers import Behaviour, serving

# Looked for, never imported: Locust patches threads and sockets of the whole process at import.
if find_spec("locust") is None:
    pytest.skip("the dependency group 'load' is not installed", allow_module_level=True)
LOCUSTFILE = Path(__file__).parents[3] / "loadtest" / "locustfile.py"


async def locust(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_it_loads_a_server_on_this_machine() -> None:
    async with serving(Behaviour()) as seen:
        url = f"http://127.0.0.1:{seen.address[1]}"
        code, output = await locust("--host", url, "--users", "2", "--run-time", "1s", "HelloUser")
    assert code == 0, output
    assert seen.requests > 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--host", "http://192.0.2.1"), "this machine only"),
        (("--host", "http://127.0.0.1:9", "--users", "5000"), "at most 500 users"),
        (("--host", "http://127.0.0.1:9", "--run-time", "2h"), "for 600 s"),
    ],
)
async def test_it_refuses_other_targets_and_endless_runs(arguments: tuple[str, ...], why: str) -> None:
    code, output = await locust(*arguments, "HelloUser")
    assert code != 0
    assert why in output

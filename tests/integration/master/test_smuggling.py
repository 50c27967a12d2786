"""The corpus of requests that two readers could understand differently; outcomes stand beside them in the file."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.master.conftest import Serve

CASES = json.loads((Path(__file__).parent / "smuggling.json").read_text())


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
async def test_smuggling(serve: Serve, case: dict[str, Any], bytewise: bool) -> None:
    served = await serve()
    async with await served.connect() as client:
        data = case["send"].encode("latin-1")
        if bytewise:
            for byte in data:
                client.send(bytes([byte]))
                # One turn of the loop each, so that the bytes arrive one by one.
                await asyncio.sleep(0)
        else:
            client.send(data)
        answers = [await client.answer() for _ in case["answers"]]
        assert [answer.status for answer in answers] == case["answers"]
        for answer in answers:
            assert "x-request-id" in answer.headers
            if answer.status >= 400:
                assert answer.code
        assert answers[-1].closes is case.get("closes", False)
        if case.get("closes"):
            assert await client.closed() == b""
        assert len(served.calls) == case["answers"].count(200)
        if "never" in case:
            assert case["never"] not in str([call.headers for call in served.calls])

"""Code that attacks the runtime: it gets its own result or its own error, and the next request is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flux.workers.isolate.protocol import Done

from .conftest import Open
from .harness import function

CORPUS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("hostile.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["name"])
async def test_it_is_contained(opened: Open, case: dict[str, Any]) -> None:
    bundle = function(f"if (input.probe) return [ctx.requestId, await ctx.db.t.find()]; {case['code']}")
    service = await opened(bundle, lambda call: "rows")
    outcome = await service.run({})
    if "failure" not in case:
        assert outcome.value == case["expected"]
    elif not (case.get("or") == "done" and isinstance(outcome.end, Done)):
        assert outcome.failure["message"].startswith(case["failure"])
        assert 400 <= outcome.failure["status"] <= 599
    assert (await service.run({"probe": True})).value == ["request-2", "rows"]
    assert not service.isolate.wedged

"""The outcome of `flux replay`. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .text import PLAIN, Json, Paint, clean, error_line, short_id, shorten

VALUE_WIDTH = 96  # --json shows values whole


def replay_lines(answer: Json, *, paint: Paint = PLAIN) -> list[str]:
    """`answer` is that of `POST /flux/api/executions/{id}/replay`."""
    recorded, replayed = answer["recorded"], answer["replayed"]
    lines = [f"  Replay {paint.bold(short_id(answer['request_id']))} of {short_id(answer['of'])}", ""]
    if answer["match"]:
        lines.append(f"  {paint.green('✔')} {recorded['status']}, same result")
    else:
        lines.append(f"  {paint.red('✗')} the result differs")
        lines += _differences(recorded, replayed)
    for divergence in answer.get("divergences") or ():
        lines += ["", *_divergence(divergence, paint)]
    return lines


def _differences(recorded: Json, replayed: Json) -> Iterator[str]:
    for key in ("status", "output", "error"):
        before, after = recorded.get(key), replayed.get(key)
        if before != after:
            yield f"    {key:<6}  recorded  {_show(key, before)}"
            yield f"            replayed  {_show(key, after)}"


def _divergence(divergence: Json, paint: Paint) -> Iterator[str]:
    call = ", ".join(clean(str(divergence[key])) for key in ("seq", "op") if divergence.get(key) is not None)
    yield f"  {paint.yellow('!')} divergence at call {call}" if call else f"  {paint.yellow('!')} divergence"
    if message := divergence.get("message"):
        yield f"    {clean(str(message))}"
    if "recorded" in divergence or "asked" in divergence:
        yield f"    recorded  {_value(divergence.get('recorded'))}"
        yield f"    asked     {_value(divergence.get('asked'))}"


def _show(key: str, value: Any) -> str:
    return error_line(value) if key == "error" and isinstance(value, dict) else _value(value)


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    return shorten(clean(json.dumps(value, ensure_ascii=False)), VALUE_WIDTH)

from __future__ import annotations

from typing import Any

import pytest

from flux.replay.recorded import agrees


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"text": "\ud800"}, {"text": "\ud800"}),
        ({"key": "[redacted]", "n": 1}, {"n": 1, "key": "anything"}),
        ({"body": "token=[redacted]&x=[redacted]"}, {"body": "token=abc&x=\n"}),
    ],
)
def test_the_same_arguments(recorded: Any, asked: Any) -> None:
    assert agrees(recorded, asked)


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 1, "b": None}),
        ({"a": 1}, {"a": 1.5}),
        ({"key": "[redacted]", "n": 1}, {"n": 2, "key": "anything"}),
        ({"body": "token=[redacted]."}, {"body": "token=abc"}),
    ],
)
def test_other_arguments(recorded: Any, asked: Any) -> None:
    assert not agrees(recorded, asked)

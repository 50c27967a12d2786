from __future__ import annotations

import json

import orjson
from hypothesis import given
from hypothesis import strategies as st

from flux.data.mutation.image import changes, fields

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), VALUES), st.sampled_from([None, 2]))
def test_members_with_their_text(image: dict[str, object], indent: int | None) -> None:
    found = fields(json.dumps(image, indent=indent))
    assert {name: json.loads(text) for name, text in found.items()} == image


def test_text_is_untouched() -> None:
    assert fields('{"a": 1.50,"b":{"x" : 1e2},"c":"\\u0000"}') == {"a": "1.50", "b": '{"x" : 1e2}', "c": '"\\u0000"'}
    assert fields(None) == {}


def test_changes() -> None:
    found = changes('{"a":1.50,"b":2,"gone":3}', '{"a":1.5,"b":2,"made":null}')
    assert orjson.dumps(found) == (
        b'[{"column":"a","old":1.50,"new":1.5},{"column":"gone","old":3},{"column":"made","new":null}]'
    )
    assert changes(None, None) == []

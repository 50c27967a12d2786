from __future__ import annotations

import orjson
import pytest

from flux.data.mutation.key import key_object, key_values
from flux.failure import HostError


@pytest.mark.parametrize(
    ("text", "columns", "values"),
    [
        ("42", ["id"], ["42"]),
        ("id=42", ["id"], ["42"]),
        ("a=b", ["id"], ["a=b"]),
        ("", ["id"], [""]),
        ('{"id": 12345678901234567890.50}', ["id"], ["12345678901234567890.50"]),
        ("{not json", ["id"], ["{not json"]),
        ("b=2,a=x y", ["a", "b"], ["x y", "2"]),
        ('{"a": "x,y", "b": true}', ["a", "b"], ["x,y", "true"]),
        ('{"a": null, "b": {"n": 1.50}}', ["a", "b"], ["null", '{"n":1.50}']),
    ],
)
def test_which_row(text: str, columns: list[str], values: list[str]) -> None:
    assert key_values(text, columns, "users") == values


@pytest.mark.parametrize("text", ["42", "a=1", "a=1,b=2,c=3", '{"a": 1}', "a=1,c=2"])
def test_not_the_key(text: str) -> None:
    with pytest.raises(HostError, match=r"named by its key: a=\.\.\.,b=\.\.\.") as raised:
        key_values(text, ["a", "b"], "users")
    assert (raised.value.code, raised.value.status) == ("INVALID_ARGUMENT", 400)


def test_no_key() -> None:
    with pytest.raises(HostError, match="no primary key"):
        key_values("1", [], "notes")


def test_numbers_keep_their_digits() -> None:
    assert (
        orjson.dumps(key_object('["a",12345678901234567890.10]', ["x", "y"]))
        == b'{"x":"a","y":12345678901234567890.10}'
    )


def test_a_key_of_other_columns_than_today() -> None:
    assert orjson.dumps(key_object("[1,2]", ["id"])) == b'{"1":1,"2":2}'

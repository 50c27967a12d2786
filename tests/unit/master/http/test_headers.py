"""Header lists in and out."""

from __future__ import annotations

import pytest

from flux.errors import OutputInvalid
from flux.master.http.headers import decoded, rendered


def test_decoded_is_lower_case_and_one_character_per_byte() -> None:
    raw = ((b"Content-Type", b"text/plain"), (b"X-Name", b"caf\xc3\xa9"), (b"X-Name", b"\xff"))
    for _ in range(2):
        assert decoded(raw) == [("content-type", "text/plain"), ("x-name", "caf\xc3\xa9"), ("x-name", "\xff")]


def test_many_different_headers_are_not_kept() -> None:
    for number in range(10_000):
        assert decoded([(b"x", b"%d" % number)]) == [("x", str(number))]
        assert rendered([("x", str(number))]) == b"x: %d\r\n" % number


def test_rendered_leaves_out_what_the_server_sets() -> None:
    ours = ["Connection", "content-length", "Transfer-Encoding", "date", "X-Request-Id", "keep-alive", "upgrade"]
    assert rendered([(name, "x") for name in ours]) == b""
    assert rendered([("Set-Cookie", "a=b"), ("set-cookie", "c=d")]) == b"Set-Cookie: a=b\r\nset-cookie: c=d\r\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", "a\r\nset-cookie: evil"),
        ("x", "a\nb"),
        ("x", "a\0"),
        ("x\r\ny", "a"),
        ("x y", "a"),
        ("x:", "a"),
        ("", "a"),
        ("é", "a"),
        ("x", "€"),
    ],
)
def test_response_splitting_is_refused(name: str, value: str) -> None:
    for _ in range(2):
        with pytest.raises(OutputInvalid):
            rendered([(name, value)])

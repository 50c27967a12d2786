from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from flux.failure import HostError
from flux.workers.host.redirects import Request, following, parse

FIRST = Request(
    method="POST",
    url=URL("https://a.example/path?q=1"),
    headers=(("authorization", "Bearer x"), ("cookie", "c"), ("content-type", "text/plain"), ("x-own", "1")),
    body=b"body",
)


def names(request: Request) -> set[str]:
    return {name for name, _ in request.headers}


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
        ("PUT", 301, "PUT"),
        ("PUT", 302, "PUT"),
        ("PUT", 303, "GET"),
        ("DELETE", 303, "GET"),
        ("GET", 303, "GET"),
        ("HEAD", 303, "HEAD"),
        ("HEAD", 301, "HEAD"),
    ],
)
def test_method(method: str, status: int, expected: str) -> None:
    first = Request(method=method, url=FIRST.url, headers=FIRST.headers, body=FIRST.body)
    after = following(first, status, "/x")
    assert after.method == expected
    changed = method != expected
    assert (after.body is None) == changed
    assert ("content-type" in names(after)) != changed


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("/other", True),
        ("https://a.example:443/other", True),
        ("https://b.example/", False),
        ("http://a.example/", False),
        ("https://a.example:8443/", False),
        ("//b.example/", False),
    ],
)
def test_credentials_stay_with_their_origin(location: str, kept: bool) -> None:
    after = following(FIRST, 307, location)
    assert {"authorization", "cookie"} <= names(after) if kept else not {"authorization", "cookie"} & names(after)
    assert "x-own" in names(after)


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "javascript:alert(1)", "ftp://x/", "https://user:pw@b.example/", "http://", "a b", "x\r\ny"],
)
def test_refused(location: str) -> None:
    with pytest.raises(HostError) as caught:
        following(FIRST, 302, location)
    assert caught.value.code == "OUTBOUND_FAILED"


def test_fragment_is_inherited() -> None:
    first = Request(method="GET", url=URL("https://a.example/#here"), headers=(), body=None)
    assert following(first, 302, "/x").url.raw_fragment == "here"
    assert following(first, 302, "/x#there").url.raw_fragment == "there"


def test_urls_are_not_requoted() -> None:
    text = "https://a.example/%7Euser/%2f?sig=a%2Bb+c"
    assert str(parse(text)) == text


@given(st.text())
def test_no_control_character_gets_into_a_request_line(text: str) -> None:
    try:
        url = parse("http://a.example/" + text)
    except ValueError:
        return
    assert not any(character <= " " for character in url.raw_path_qs)

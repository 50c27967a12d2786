"""What follows from a redirect, by the rules of the Fetch standard. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from yarl import URL

from flux.failure import HostError

STATUSES = frozenset((301, 302, 303, 307, 308))

_BODY_HEADERS = frozenset(("content-encoding", "content-language", "content-location", "content-type"))
# They were meant for the first origin; the next one must not see them.
_CREDENTIALS = frozenset(("authorization", "cookie", "proxy-authorization"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One HTTP request, ready to be sent. Header names are lower case."""

    method: str
    url: URL
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


def following(request: Request, status: int, location: str) -> Request:
    """The request that comes next. Raises 502 OUTBOUND_FAILED when `location` cannot be followed."""
    try:
        url = request.url.join(parse(location))
    except ValueError:
        raise HostError("OUTBOUND_FAILED", 502, "The redirect's location is not a URL.") from None
    if url.scheme not in ("http", "https") or not url.raw_host or url.raw_user or url.raw_password:
        raise HostError("OUTBOUND_FAILED", 502, "The redirect leads to something that is not a plain http(s) URL.")
    if not url.raw_fragment and request.url.raw_fragment:
        url = url.with_fragment(request.url.raw_fragment)
    becomes_get = (status in (301, 302) and request.method == "POST") or (
        status == 303 and request.method not in ("GET", "HEAD")
    )
    dropped = _BODY_HEADERS if becomes_get else frozenset()
    if _origin(url) != _origin(request.url):
        dropped |= _CREDENTIALS
    request = replace(request, url=url, headers=tuple(pair for pair in request.headers if pair[0] not in dropped))
    return replace(request, method="GET", body=None) if becomes_get else request


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    """Not `URL.origin()`, for which a default port that is written out makes another origin."""
    return url.scheme, url.raw_host and url.raw_host.lower(), url.port


def parse(text: str) -> URL:
    """A URL as it was written: no quoting is changed, as signatures may cover it. Raises ValueError."""
    if any(character <= " " or character == "\x7f" for character in text):
        raise ValueError("a URL has no spaces and no control characters")
    return URL(text, encoded=text.isascii())

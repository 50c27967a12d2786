"""`fetch`: one HTTP call, redirects included, to hosts that `address` lets pass; the response is held in memory."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from flux.failure import HostError, invalid

from .address import allowed
from .arguments import Args, text
from .outbound import require_public
from .redirects import STATUSES, Request, following, parse

if TYPE_CHECKING:
    from .scope import Scope

MAX_HEADERS = 200  # no API wants more; servers refuse them from about 100 on
CHUNK_BYTES = 64 * 1024

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN_VALUE = re.compile(r"[\x00\r\n]")
_NORMALISED = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))
_FORBIDDEN_METHODS = frozenset(("CONNECT", "TRACE", "TRACK"))
# They frame the message or name its connection, which is not the function's business.
_DROPPED = frozenset(
    ("connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
_WITHOUT_BODY = frozenset((204, 205, 304))
_DECODED = frozenset(("gzip", "x-gzip", "deflate", "br", "zstd"))


async def fetch(scope: Scope, args: Args) -> bytes:
    """Answers {status, status_text, url, redirected, headers, body | body_base64}; body is null where there is none."""
    request = _request(args, scope.traceparent)
    redirect = args.get("redirect") or "follow"
    if redirect not in ("follow", "manual", "error"):
        raise invalid('"redirect" must be "follow", "manual" or "error".')
    timeout_ms = scope.services.settings.outbound.timeout_ms
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            return await _exchange(scope, request, redirect)
    except TimeoutError:
        raise HostError(
            "OUTBOUND_TIMEOUT", 504, f"{_name(request)} did not answer within {timeout_ms} ms (outbound.timeout_ms)."
        ) from None
    except aiohttp.InvalidURL:
        raise HostError("INVALID_URL", 400, "The URL is not valid.") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise HostError("OUTBOUND_FAILED", 502, f"{_name(request)} could not be reached: {reason}") from error


async def _exchange(scope: Scope, request: Request, redirect: str) -> bytes:
    settings = scope.services.settings.outbound
    first = request
    for _ in range(settings.max_redirects + 1):
        async with _open(scope, request) as response:
            location = response.headers.get("Location")
            if response.status not in STATUSES or redirect == "manual" or location is None:
                return await _result(request, response, settings.max_response_bytes, redirected=request is not first)
            if redirect == "error":
                raise HostError("OUTBOUND_FAILED", 502, f'{_name(request)} redirects, and redirect is "error".')
        request = following(request, response.status, location)
    raise HostError("OUTBOUND_FAILED", 502, f"{_name(first)} redirects more than {settings.max_redirects} times.")


def _open(scope: Scope, request: Request) -> Any:
    """The exchange as a context manager. Raises 403 OUTBOUND_REFUSED; names are checked while it connects."""
    host, port = request.url.raw_host or "", request.url.port or 0
    services = scope.services
    trusted = allowed(host, port, services.settings.outbound.allow_hosts) or allowed(host, port, scope.spec.allow_http)
    if not trusted:
        require_public(host)
    return services.outbound.client(trusted=trusted).request(
        request.method,
        request.url,
        headers=request.headers,
        data=request.body,
        allow_redirects=False,
    )


async def _result(request: Request, response: aiohttp.ClientResponse, limit: int, *, redirected: bool) -> bytes:
    body = await _read(request, response, limit)
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.raw_headers]
    if response.headers.get("Content-Encoding", "").lower() in _DECODED:
        # The body has been decoded: whoever passes both on would lie about it.
        headers = [pair for pair in headers if pair[0] not in ("content-encoding", "content-length")]
    answer: dict[str, Any] = {
        "status": response.status,
        "status_text": response.reason or "",
        "url": str(request.url.with_fragment(None)),
        "redirected": redirected,
        "headers": headers,
    }
    if response.status in _WITHOUT_BODY or request.method == "HEAD":
        answer["body"] = None
    else:
        try:
            answer["body"] = body.decode()
        except UnicodeDecodeError:
            answer["body_base64"] = base64.b64encode(body).decode()
    return orjson.dumps(answer)


async def _read(request: Request, response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The decoded body; no more of it than `limit` is ever taken."""
    too_large = HostError(
        "OUTBOUND_TOO_LARGE",
        502,
        f"{_name(request)} answered more than {limit} bytes (outbound.max_response_bytes).",
    )
    if request.method != "HEAD" and (response.content_length or 0) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def _request(args: Args, traceparent: str | None) -> Request:
    url = text(args, "url")
    try:
        parsed = parse(url)
        usable = parsed.scheme in ("http", "https") and parsed.raw_host and parsed.port is not None
    except ValueError:
        usable = False
    if not usable:
        raise HostError("INVALID_URL", 400, "fetch needs an absolute http or https URL.")
    if parsed.raw_user or parsed.raw_password:
        raise HostError("INVALID_URL", 400, "The URL holds credentials; send them in the authorization header.")
    method = args.get("method") or "GET"
    if not isinstance(method, str) or not _TOKEN.fullmatch(method) or method.upper() in _FORBIDDEN_METHODS:
        raise invalid('"method" is not one that fetch can send.')
    method = method.upper() if method.upper() in _NORMALISED else method
    headers = _headers(args.get("headers") or [])
    if traceparent is not None and all(name != "traceparent" for name, _ in headers):
        headers = (*headers, ("traceparent", traceparent))
    body = _body(args)
    if body is not None and method in ("GET", "HEAD"):
        raise invalid(f"A {method} request has no body.")
    return Request(method=method, url=parsed, headers=headers, body=body)


def _headers(pairs: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(pairs, list) or len(pairs) > MAX_HEADERS:
        raise invalid(f'"headers" must be an array of at most {MAX_HEADERS} [name, value] pairs.')
    found = []
    for pair in pairs:
        if not _is_pair(pair):
            raise invalid('"headers" must be an array of [name, value] pairs of strings.')
        name, value = pair
        if not _TOKEN.fullmatch(name) or _FORBIDDEN_VALUE.search(value):
            raise invalid(f"The header {name!r} has a name or a value that HTTP does not allow.")
        if name.lower() not in _DROPPED and not name.lower().startswith("proxy-"):
            found.append((name.lower(), value.strip(" \t")))
    return tuple(found)


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(part, str) for part in pair)


def _body(args: Mapping[str, Any]) -> bytes | None:
    encoded, plain = args.get("body_base64"), args.get("body")
    if encoded is not None:
        try:
            return base64.b64decode(encoded, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise invalid('"body_base64" is not base64.') from None
    if plain is not None and not isinstance(plain, str):
        raise invalid('"body" must be a string, or null.')
    return None if plain is None else plain.encode()


def _name(request: Request) -> str:
    """The target in a message: without its query, which may hold secrets."""
    return f"{request.method} {request.url.origin()}{request.url.raw_path}"

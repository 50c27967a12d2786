"""The management API over HTTP, synchronous and on the standard library: a command must start fast."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .connect import Target
from .errors import CommandFailed, Unreachable, refused

API = "/flux/api"
TIMEOUT_S = 60.0  # longer than an execution may take by default, so that the server's own verdict arrives
CONNECT_TIMEOUT_S = 5.0

STREAM_TIMEOUT_S = 60.0  # the server breaks its silence every 15 s

_MISSED = re.compile(r": missed (\d+)")

Query = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises Unreachable when this is not JSON: then whatever answered is not Flux."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise not_flux(self.status) from None

    def error(self) -> Mapping[str, Any] | None:
        """The "error" object, if the body is of Flux's error shape."""
        try:
            error = json.loads(self.body)["error"]
        except (ValueError, KeyError, TypeError):
            return None
        return error if isinstance(error, dict) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One server-sent event; `data` is its JSON. Without data: how many the server had to leave out before the next."""

    id: str | None = None
    data: Any = None
    missed: int = 0


def not_flux(status: int) -> CommandFailed:
    return Unreachable(f"what answers there ({status}) is not a Flux server", code="NOT_FLUX", hint="check --url")


@dataclass(frozen=True, slots=True)
class Api:
    target: Target

    def get(self, path: str, query: Query | None = None) -> Any:
        return self._json("GET", path, query=query)

    def text(self, path: str, query: Query | None = None) -> str:
        """The answer as it came, for values whose digits matter."""
        answer = self.send("GET", path, query=query)
        if answer.status >= 400:
            raise self._refused(answer)
        return answer.body.decode()

    def post(self, path: str, body: Any = None) -> Any:
        return self._json("POST", path, body=json.dumps(body).encode() if body is not None else b"")

    def put(self, path: str, body: Any) -> Any:
        return self._json("PUT", path, body=json.dumps(body).encode())

    def delete(self, path: str) -> Any:
        return self._json("DELETE", path)

    def send(self, method: str, path: str, *, query: Query | None = None, body: bytes | None = None) -> Answer:
        """One request below /flux/api, whatever its answer. Raises Unreachable when there is none."""
        connection, response = self._open(method, path, query, body, TIMEOUT_S)
        try:
            return Answer(status=response.status, headers=dict(_lower(response)), body=response.read())
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()

    def events(self, path: str, query: Query | None = None, last_id: str | None = None) -> Iterator[Event]:
        """Server-sent events until the server ends the stream; the first request is made at once."""
        headers = {"accept": "text/event-stream"} | ({"last-event-id": last_id} if last_id else {})
        connection, response = self._open("GET", path, query, None, STREAM_TIMEOUT_S, headers)
        if response.status != 200:
            answer = Answer(status=response.status, headers=dict(_lower(response)), body=response.read())
            connection.close()
            raise self._refused(answer)
        return self._read_events(connection, response)

    def _read_events(self, connection: http.client.HTTPConnection, response: Any) -> Iterator[Event]:
        try:
            yield from parse_events(response)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()

    def _json(self, method: str, path: str, *, query: Query | None = None, body: bytes | None = None) -> Any:
        answer = self.send(method, path, query=query, body=body)
        if answer.status >= 400:
            raise self._refused(answer)
        return answer.json() if answer.body else None

    def _refused(self, answer: Answer) -> CommandFailed:
        error = answer.error()
        return not_flux(answer.status) if error is None else refused(answer.status, error)

    def _open(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: bytes | None,
        timeout: float,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        url = urlsplit(self.target.url)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        sent = {"accept": "application/json", "user-agent": "flux-cli", **(headers or {})}
        if self.target.key:
            sent["authorization"] = f"Bearer {self.target.key}"
        if body is not None:
            sent["content-type"] = "application/json"
        known = {name: value for name, value in (query or {}).items() if value is not None}
        address = url.path.rstrip("/") + API + path + ("?" + urlencode(known) if known else "")
        connection = kind(str(url.hostname), url.port, timeout=CONNECT_TIMEOUT_S)
        try:
            connection.connect()
            connection.sock.settimeout(timeout)
            connection.request(method, address, body=body, headers=sent)
            return connection, connection.getresponse()
        except (OSError, ValueError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> CommandFailed:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unreachable(
            f"no Flux server answers at {self.target.url} ({why})",
            hint=f"start one with `flux serve`, or name it with --url (this URL is from {self.target.found})",
        )


def segment(text: str) -> str:
    """`text` as one segment of a path."""
    return quote(text, safe="")


def parse_events(lines: Any) -> Iterator[Event]:
    """Events out of the lines (bytes) of a text/event-stream; those whose data is not JSON are left out."""
    id: str | None = None
    data: list[str] = []
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "id":
            id = value
        elif match := _MISSED.fullmatch(line):
            yield Event(missed=int(match[1]))
        elif not line and data:
            with contextlib.suppress(ValueError):
                yield Event(id=id, data=json.loads("\n".join(data)))
            data = []


def _lower(response: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
    return ((name.lower(), value) for name, value in response.getheaders())

"""How an endpoint of the management API is declared. Parsing, errors and the OpenAPI document all read this."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from flux.errors import ValidationFailed
from flux.master.http.mounts import ApiRequest, ApiResponse

if TYPE_CHECKING:
    from flux.master.api.services import ApiServices

Type = Literal["string", "integer", "boolean", "time"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A query parameter. `choices` and `maximum` (inclusive, from 1) narrow what is accepted."""

    name: str
    about: str
    type: Type = "string"
    choices: tuple[str, ...] = ()
    maximum: int | None = None

    def parse(self, text: str) -> Any:
        """The value. Raises ValueError with what is expected."""
        if self.choices and text not in self.choices:
            raise ValueError("must be one of " + ", ".join(self.choices))
        return _PARSERS[self.type](self, text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of an endpoint. `path` and `query` hold what was sent of the declared parameters, parsed."""

    services: ApiServices
    request: ApiRequest
    path: Mapping[str, str]
    query: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """`path` is below /flux/api and holds `{name}` for what `path_about` explains.

    `body` and `result` are TypedDicts (`flux.master.api.shapes`); a `result` of None is not JSON: see `about`.
    """

    method: str
    path: str
    about: str
    handler: Callable[[Call], Awaitable[ApiResponse]]
    result: type | None
    status: int = 200
    query: tuple[Parameter, ...] = ()
    path_about: str = ""
    body: type | None = None
    content_type: str = "application/json"

    def values(self, sent: Mapping[str, str]) -> dict[str, Any]:
        """The query parameters, parsed. Raises ValidationFailed naming each that is unknown or wrong."""
        known = {parameter.name: parameter for parameter in self.query}
        found, violations = {}, []
        for name, text in sent.items():
            try:
                if name not in known:
                    raise ValueError("unknown; this endpoint takes " + (", ".join(known) or "no parameters"))
                found[name] = known[name].parse(text)
            except ValueError as error:
                violations.append({"path": name, "message": str(error), "code": "INVALID_PARAMETER"})
        if violations:
            told = "; ".join(f"{each['path']}: {each['message']}" for each in violations)
            raise ValidationFailed(f"The query does not fit: {told}.", violations=violations)
        return found


def _string(parameter: Parameter, text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def _integer(parameter: Parameter, text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < 1:
        raise ValueError("must be a whole number from 1")
    if parameter.maximum is not None and int(text) > parameter.maximum:
        raise ValueError(f"must be at most {parameter.maximum}")
    return int(text)


def _boolean(parameter: Parameter, text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def _time(parameter: Parameter, text: str) -> datetime:
    try:
        # A '+' of a time zone that was not percent-encoded arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise ValueError("must be a time such as 2026-01-31T14:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_PARSERS: dict[Type, Callable[[Parameter, str], Any]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "time": _time,
}

"""The gateway: its steps in order, and the record of what each decided.

    size -> route -> CORS -> auth -> tenant -> rate limit      (then, once the body is there: body)

The order is part of the behaviour: what costs least and says most to the caller comes first, and nothing of a request
that is refused is read further. A step raises the error it refuses with; this module notes which step that was.
"""

from __future__ import annotations

from collections.abc import Callable

from flux.config import Settings
from flux.errors import FluxError
from flux.manifest import FunctionSpec, Manifest
from flux.master.gateway.auth import ApiKey, KeyTable, authenticate
from flux.master.gateway.cors import CorsPolicy
from flux.master.gateway.rate_limit import TokenBuckets
from flux.master.gateway.request import Request
from flux.master.gateway.request_id import RequestIds, sent_id, sent_traceparent
from flux.master.gateway.route import Router, Target, allow
from flux.master.gateway.size import check_size
from flux.master.gateway.tenant import bucket_of, tenant_of

STEPS = ("size", "route", "cors", "auth", "tenant", "rate_limit")

# The record of a decision is one of these few texts (JSON), so no request pays for rendering its own.
ACCEPTED = b'{"size":"ok","route":"ok","cors":"ok","auth":"ok","tenant":"ok","rate_limit":"ok"}'


def _refused_at(step: int) -> bytes:
    passed = [f'"{name}":"ok"' for name in STEPS[:step]]
    return ("{" + ",".join([*passed, f'"{STEPS[step]}":"refused"']) + "}").encode()


_REFUSED = tuple(_refused_at(step) for step in range(len(STEPS)))
# After the steps: the body could not be read or was not what it claims; or not even the head was readable.
BODY_REFUSED = ACCEPTED[:-1] + b',"body":"refused"}'
UNREADABLE = b'{"http":"refused"}'
ANSWERED_HERE = b'{"size":"ok","route":"ok","cors":"preflight"}'
_NO_PARAMS: dict[str, str] = {}


class Decision:
    """What the gateway made of a request.

    `error` is set when it refuses; `answered` when it answers itself (preflight, OPTIONS: 204 without a body).
    `headers` go on the response in every case. `record` is JSON: what each step decided.
    """

    __slots__ = (
        "answered",
        "error",
        "headers",
        "key",
        "params",
        "record",
        "request_id",
        "target",
        "tenant",
        "traceparent",
    )

    def __init__(self, request_id: bytes) -> None:
        self.request_id = request_id
        self.traceparent: str | None = None
        self.target: Target | None = None
        self.params = _NO_PARAMS
        self.key: ApiKey | None = None
        self.tenant: str | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.record = ACCEPTED
        self.error: FluxError | None = None
        self.answered = False

    @property
    def spec(self) -> FunctionSpec | None:
        return None if self.target is None else self.target.spec


class Gateway:
    """The steps with their tables. `swap` and `set_keys` replace a table as a whole; requests see one or the other."""

    __slots__ = ("_body_bytes", "_buckets", "_clock", "_cors", "_ids", "_keys", "_router")

    def __init__(self, settings: Settings, manifest: Manifest, keys: KeyTable, clock: Callable[[], float]) -> None:
        self._body_bytes = settings.limits.body_bytes
        self._cors = CorsPolicy(settings.cors)
        rate, burst = settings.rate_limit.rate, settings.rate_limit.burst
        self._buckets = TokenBuckets(rate=rate, burst=burst or max(1, int(rate))) if rate else None
        self._clock = clock
        self._ids = RequestIds()
        self._keys = keys
        self._router = Router(manifest)

    def swap(self, manifest: Manifest) -> None:
        """The functions that are live from now on. Raises Conflict and changes nothing if their routes collide."""
        self._router = Router(manifest)

    def set_keys(self, keys: KeyTable) -> None:
        """The API keys that are valid from now on."""
        self._keys = keys

    def identify(self, request: Request) -> bytes:
        """The request's ID: the one a trusted caller sent, else a new one."""
        sent = request.headers.get("x-request-id") if request.trusted else None
        return (sent and sent_id(sent)) or self._ids.new()

    def new_id(self) -> bytes:
        """An ID for what has no readable head."""
        return self._ids.new()

    def decide(self, request: Request) -> Decision:
        """All steps that need no body. Never raises FluxError: a refusal is in the decision."""
        decision = Decision(self.identify(request))
        headers = request.headers
        decision.traceparent = sent_traceparent(headers.get("traceparent"))
        origin = headers.get("origin")
        step = 0
        try:
            check_size(request.content_length, self._body_bytes)
            step = 1
            if request.method == "OPTIONS" and self._options(request, decision, origin):
                return decision
            target, decision.params = self._router.match(request.method, request.path)
            decision.target = target
            step = 2
            if origin is not None:
                decision.headers = self._cors.permission(origin)
            step = 3
            key = None
            if target.spec.auth != "none":
                key = decision.key = authenticate(headers, self._keys)
            step = 4
            decision.tenant = tenant_of(key)
            step = 5
            if self._buckets is not None:
                decision.headers += self._buckets.take(bucket_of(key, request.remote), self._clock())
        except FluxError as error:
            decision.error = error
            decision.record = _REFUSED[step]
            if origin is not None and step < 2:
                # A page can read why it was refused only if the refusal bears the permission.
                decision.headers = self._cors.permission(origin)
        return decision

    def _options(self, request: Request, decision: Decision, origin: str | None) -> bool:
        """Answers a preflight, and a plain OPTIONS that no route claims."""
        asked = request.headers.get("access-control-request-method")
        preflight = origin is not None and asked is not None
        methods = self._router.methods(request.path)
        if not preflight and ("OPTIONS" in methods or "*" in methods):
            return False
        decision.record = ANSWERED_HERE
        decision.answered = True
        decision.headers = (("allow", allow(methods)),)
        if origin is not None and asked is not None:
            try:
                decision.headers = self._cors.preflight(origin)
            except FluxError as error:
                decision.error, decision.record, decision.answered = error, _REFUSED[2], False
        return True

"""Every setting of flux.toml, declared once: default, unit, bounds and the reason for the default."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import Literal

from flux import manifest
from flux.settings.declare import setting

KIB, MIB = 1024, 1024 * 1024


def _networks(value: tuple[str, ...]) -> None:
    for network in value:
        ipaddress.ip_network(network)


def _origins(value: tuple[str, ...]) -> None:
    for origin in value:
        if origin != "*" and ("://" not in origin or origin.endswith("/")):
            raise ValueError(f'"{origin}" is not an origin such as "https://app.example.com" (or "*")')


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """The port, the processes behind it and what a connection may cost."""

    host: str = setting(
        "127.0.0.1", "Address to listen on; 0.0.0.0 opens it to the network, which is a decision to take."
    )
    port: int = setting(4000, "TCP port of gateway and API; 0 takes any free one.", minimum=0, maximum=65_535)
    workers: int = setting(
        lambda: os.cpu_count() or 1,
        "Processes that run functions; more than CPUs does not help.",
        minimum=1,
        maximum=1024,
        shown_default="number of CPUs",
    )
    pin: bool = setting(
        True, "Keeps each worker and its isolates on one CPU, which makes a call into V8 about 6 times faster."
    )
    max_connections: int = setting(
        12_000,
        "Open client connections; one more is answered 503 and closed. Leaves room above 10,000 idle ones.",
        minimum=1,
    )
    header_timeout_s: float = setting(
        10, "Time for a request's head to arrive, so that silent connections do not pile up.", unit="s", minimum=0.01
    )
    body_timeout_s: float = setting(30, "Time for a request's whole body to arrive.", unit="s", minimum=0.01)
    keepalive_s: float = setting(
        75,
        "Time a connection may idle between requests; above the 60 s of common load balancers.",
        unit="s",
        minimum=0.01,
    )
    drain_s: float = setting(
        30, "Time that requests in flight get to finish when the server stops.", unit="s", minimum=0
    )
    in_flight_per_worker: int = setting(
        256, "Requests given to one worker at a time; beyond it callers get 503 at once.", minimum=1
    )
    trusted_callers: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1/128"),
        "Networks (CIDR) whose x-request-id is taken over, such as those of your proxies.",
        check=_networks,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Limits of one request and of one execution; `flux.json` of a function may set those of its executions."""

    body_bytes: int = setting(
        1 * MIB, "Largest request body; it is held in memory while it arrives.", unit="bytes", minimum=0
    )
    head_bytes: int = setting(
        32 * KIB,
        "Largest request head (request line and all headers together).",
        unit="bytes",
        minimum=1 * KIB,
        maximum=1 * MIB,
    )
    header_count: int = setting(100, "Most header lines of a request.", minimum=8, maximum=1000)
    json_depth: int = setting(
        128, "Deepest nesting of a JSON body; deeper ones are attacks on recursive code.", minimum=1, maximum=1000
    )
    wall_ms: int = setting(30_000, "Time from dispatch to answer of one execution.", unit="ms", minimum=1)
    cpu_ms: int = setting(
        2_000, "CPU time of one step of an execution; an endless loop ends here.", unit="ms", minimum=1
    )
    heap_bytes: int = setting(128 * MIB, "Heap of one isolate.", unit="bytes", minimum=8 * MIB)
    in_flight_calls: int = setting(256, "Host calls of one execution that wait for an answer at once.", minimum=1)
    message_bytes: int = setting(8 * MIB, "Largest host call, answer or result.", unit="bytes", minimum=1 * KIB)

    def execution(self) -> manifest.Limits:
        """The part that travels with a function."""
        return manifest.Limits(
            wall_ms=self.wall_ms,
            cpu_ms=self.cpu_ms,
            heap_bytes=self.heap_bytes,
            in_flight_calls=self.in_flight_calls,
            message_bytes=self.message_bytes,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What is recorded of an execution, how soon it is in Postgres, and for how long it is kept."""

    mode: Literal["strict", "best-effort", "off"] = setting(
        "strict",
        "strict: what cannot be recorded is not served (503). best-effort: served, the loss is counted. off: none.",
    )
    ring_bytes: int = setting(
        16 * MIB,
        "Shared memory per worker that holds the record until Postgres has it; a power of two.",
        unit="bytes",
        minimum=64 * KIB,
        power_of_two=True,
    )
    flush_ms: int = setting(
        100, "Longest time until the next COPY; a ring that is half full does not wait for it.", unit="ms", minimum=1
    )
    body_bytes: int = setting(
        256 * KIB, "Recorded part of an input or output; the rest is cut and marked.", unit="bytes", minimum=0
    )
    redact_headers: tuple[str, ...] = setting(
        (), "Headers never recorded, besides authorization, proxy-authorization, cookie, set-cookie and x-api-key."
    )
    retention_days: int = setting(30, "Age at which the record of a success is dropped.", unit="days", minimum=1)
    error_retention_days: int = setting(90, "Age at which the record of a failure is dropped.", unit="days", minimum=1)
    mutation_retention_days: int = setting(
        365,
        "Age at which mutations are dropped: how far back rows can be read; a year, for what is done once a year.",
        unit="days",
        minimum=1,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """The Postgres that holds the record, the queue and the project's own tables."""

    url: str | None = setting(
        None, "DSN of your own Postgres (15 or newer); not set: an embedded PostgreSQL 18 in the data folder."
    )
    lanes: int = setting(
        8,
        "Connections of each worker that all single statements share, sent one behind the other.",
        minimum=1,
        maximum=1000,
    )
    pool_size: int = setting(
        8,
        "Connections of each worker for transactions and raw SQL, one each; they are opened when needed.",
        minimum=1,
        maximum=1000,
    )
    statement_timeout_ms: int = setting(15_000, "Longest statement of a function.", unit="ms", minimum=1)
    sql: Literal["", "all", "granted"] = setting(
        "",
        'Functions that may use ctx.db.sql: "granted" = those whose flux.json says so, "" = all until there are '
        'policies. "all": all, and while there are no policies with the rights of Flux\' own user (DDL).',
    )
    sql_url: str | None = setting(
        None, "DSN for raw SQL, where Flux may not make roles: a login of yours without rights, in the same database."
    )
    unmanaged: tuple[str, ...] = setting(
        (), 'Tables ("name" or "schema.name") whose changes are not recorded, such as caches and queues of your own.'
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Outbound:
    """What `ctx.fetch` may reach."""

    allow_hosts: tuple[str, ...] = setting(
        (), 'Hosts ("name" or "name:port") that may be loopback or private; all others must be public addresses.'
    )
    timeout_ms: int = setting(10_000, "Time for a whole outbound call.", unit="ms", minimum=1)
    max_response_bytes: int = setting(
        8 * MIB, "Largest response; it is held in memory and recorded.", unit="bytes", minimum=1 * KIB
    )
    max_redirects: int = setting(5, "Redirects followed; each target is checked again.", minimum=0, maximum=20)


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimit:
    """Token bucket of each tenant (callers without a key: of each address)."""

    rate: float = setting(
        0, "Requests per second that refill the bucket; 0 switches the limit off.", unit="requests/s", minimum=0
    )
    burst: int = setting(
        0, "Requests that a full bucket allows at once; 0 means one second's worth.", unit="requests", minimum=0
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cors:
    """Which web pages may call the functions; without origins no page of another origin can."""

    origins: tuple[str, ...] = setting((), 'Allowed origins, or ["*"].', check=_origins)
    methods: tuple[str, ...] = setting(("GET", "POST", "PUT", "PATCH", "DELETE"), "Methods that a preflight allows.")
    headers: tuple[str, ...] = setting(
        ("authorization", "content-type", "x-api-key", "traceparent"), "Request headers that a preflight allows."
    )
    credentials: bool = setting(False, "Whether pages may send cookies; not possible together with every origin.")
    max_age_s: int = setting(600, "How long a browser may keep a preflight's answer.", unit="s", minimum=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Auth:
    """Authentication of functions that do not name one of their own in flux.json."""

    # RUF009: `setting` makes a dataclass field, like `field` itself.
    default: manifest.Auth = setting("none", '"api_key" closes every route that does not say "none".')  # noqa: RUF009

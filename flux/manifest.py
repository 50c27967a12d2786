"""What is deployed: one frozen value per function version, written by `flux.build`, read by master and workers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Auth = Literal["none", "api_key"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one execution. Defaults are the project's `[limits]`; `flux.json` may lower or raise them."""

    wall_ms: int = 30_000
    cpu_ms: int = 2_000
    heap_bytes: int = 128 * 1024 * 1024
    in_flight_calls: int = 256
    message_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Route:
    """`method` is upper case, or "*" for any; `path` may hold `:name` segments and end in `*rest`."""

    method: str
    path: str


@dataclass(frozen=True, kw_only=True)
class DatabaseUse:
    """`sql`: whether the function may use `ctx.db.sql`; None = what the project says. `role`: the role that policies
    see, whoever calls; None = the caller's.
    """

    sql: bool | None = None
    role: str | None = None


@dataclass(frozen=True, kw_only=True)
class DataRoute:
    """A table that is served without a function (docs/DATA_ROUTES.md).

    `operations` are those of the query format. `columns`: those of the table that can be named and answered, None = all
    that policies let through. `policies`: whether only tables that have a policy are served.
    """

    table: str
    path: str
    methods: tuple[str, ...] = ("GET",)
    operations: tuple[str, ...] = ("select", "count", "aggregate")
    columns: tuple[str, ...] | None = None
    policies: bool = True
    auth: Auth | None = None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> DataRoute:
        columns = value["columns"]
        return cls(
            **{
                **value,
                "methods": tuple(value["methods"]),
                "operations": tuple(value["operations"]),
                "columns": None if columns is None else tuple(columns),
            }
        )


@dataclass(frozen=True, kw_only=True)
class FunctionSpec:
    """One version of one function.

    `version` is the SHA-256 (hex, 64 characters) of bundle and env; bundle and source map lie in the store of builds
    under that name. `source` is the path of the entry file, relative to the project folder. A data route (runtime
    "data") has no bundle: its version is the hash of `data`, which describes it.
    """

    name: str
    version: str
    source: str
    routes: tuple[Route, ...]
    auth: Auth = "none"
    runtime: Literal["v8", "data"] = "v8"
    limits: Limits = field(default_factory=Limits)
    max_attempts: int = 5
    allow_http: tuple[str, ...] = ()
    asynchronous: bool = False
    db: DatabaseUse = field(default_factory=DatabaseUse)
    data: DataRoute | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> FunctionSpec:
        return cls(
            **{
                **value,
                "routes": tuple(Route(**route) for route in value["routes"]),
                "limits": Limits(**value["limits"]),
                "allow_http": tuple(value["allow_http"]),
                "db": DatabaseUse(**value.get("db", {})),
                "data": DataRoute.from_json(data) if (data := value.get("data")) else None,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All functions that are live, by name."""

    functions: dict[str, FunctionSpec]

    def to_json(self) -> dict[str, Any]:
        return {name: spec.to_json() for name, spec in self.functions.items()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Manifest:
        return cls(functions={name: FunctionSpec.from_json(spec) for name, spec in value.items()})

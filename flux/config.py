"""The settings of one project: `flux.toml`, then the environment, then the command line; the last one wins.

    settings = load(Path("."), {"server.port": 4001})

Every setting is declared in `flux.settings.sections`; docs/SETTINGS.md lists them with defaults and reasons.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flux.data.routes.declared import read_routes
from flux.errors import ConfigError
from flux.manifest import DataRoute
from flux.settings.declare import Declared, declared, setting
from flux.settings.sections import Auth, Cors, Database, Limits, Outbound, RateLimit, Record, Server
from flux.settings.values import parse

FILE_NAME = "flux.toml"

SECTIONS: dict[str, type] = {
    "server": Server,
    "limits": Limits,
    "record": Record,
    "database": Database,
    "outbound": Outbound,
    "rate_limit": RateLimit,
    "cors": Cors,
    "auth": Auth,
}
ENV_SECTION = "env"
ROUTES_SECTION = "routes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that can be set. `env` is the `[env]` table: part of a code version, readable by functions.
    `routes` are the `[[routes]]`: tables that are served without a function.
    """

    project: Path
    # RUF009: `setting` makes a dataclass field, like `field` itself.
    functions: Path = setting(Path("functions"), "Functions' folder; relative to the project.")  # noqa: RUF009
    data: Path = setting(  # noqa: RUF009
        Path(".flux"), "Folder of embedded Postgres, builds and the operator key; relative to the project."
    )
    server: Server = field(default_factory=Server)
    limits: Limits = field(default_factory=Limits)
    record: Record = field(default_factory=Record)
    database: Database = field(default_factory=Database)
    outbound: Outbound = field(default_factory=Outbound)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    cors: Cors = field(default_factory=Cors)
    auth: Auth = field(default_factory=Auth)
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    routes: tuple[DataRoute, ...] = ()


def known() -> dict[str, Declared]:
    """All settings by dotted key: `functions`, `server.port`, ..."""
    found = {entry.name: entry for entry in declared(Settings)}
    for name, section in SECTIONS.items():
        found.update({f"{name}.{entry.name}": entry for entry in declared(section)})
    return found


def variable(key: str) -> str:
    """The environment variable of a setting: FLUX_PORT for server.port, FLUX_RECORD_MODE for record.mode."""
    return "DATABASE_URL" if key == "database.url" else "FLUX_" + key.removeprefix("server.").replace(".", "_").upper()


def load(
    project: Path,
    overrides: Mapping[str, Any] = MappingProxyType({}),
    env: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings of the project in this folder. `overrides` are by dotted key; those that are None are not set.

    Raises ConfigError naming the file (or variable, or option), the key and what is allowed there.
    """
    project = project.resolve()
    settings = known()
    values, table, routes = _from_file(project / FILE_NAME, settings)
    for key, entry in settings.items():
        raw = env.get(variable(key))
        if raw:
            values[key] = _parsed(raw, entry, f"{variable(key)} (environment)", text=True)
    for key, raw in overrides.items():
        if raw is not None:
            where = f'option "{key}"'
            values[key] = _parsed(raw, settings.get(key) or _unknown("command line", key, list(settings)), where)
    return _assembled(project, values, table, routes)


def _from_file(
    path: Path, settings: Mapping[str, Declared]
) -> tuple[dict[str, Any], dict[str, str], tuple[DataRoute, ...]]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}, {}, ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    values: dict[str, Any] = {}
    table: dict[str, str] = {}
    routes: tuple[DataRoute, ...] = ()
    for name, content in document.items():
        if name == ENV_SECTION:
            table = _env_table(path, content)
        elif name == ROUTES_SECTION:
            routes = _routes(path, content)
        elif name in SECTIONS:
            if not isinstance(content, dict):
                raise ConfigError(f"{path}: {name} must be a table: [{name}]")
            values.update({f"{name}.{key}": raw for key, raw in content.items()})
        else:
            values[name] = content
    allowed = [*settings, *SECTIONS, ENV_SECTION, ROUTES_SECTION]
    return (
        {
            key: _parsed(raw, settings.get(key) or _unknown(str(path), key, allowed), f"{path}: {key}")
            for key, raw in values.items()
        },
        table,
        routes,
    )


def _routes(path: Path, content: Any) -> tuple[DataRoute, ...]:
    try:
        return read_routes(content)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _env_table(path: Path, content: Any) -> dict[str, str]:
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: env must be a table: [env]")
    for key, value in content.items():
        if not isinstance(value, str):
            raise ConfigError(f'{path}: env.{key} must be a string: {key} = "{value}"')
    return content


def _parsed(raw: Any, entry: Declared, where: str, *, text: bool = False) -> Any:
    try:
        return parse(raw, entry, text=text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error} (found {raw!r})") from None


def _unknown(where: str, key: str, allowed: list[str]) -> Declared:
    section = key.partition(".")[0]
    near = difflib.get_close_matches(key, allowed, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else "."
    inside = [name.partition(".")[2] for name in allowed if name.startswith(section + ".")]
    takes = (
        f"[{section}] takes: {', '.join(inside)}"
        if inside and "." in key
        else f"Sections: {', '.join(SECTIONS)}, env, routes"
    )
    raise ConfigError(f'{where}: unknown setting "{key}"{hint} {takes}')


def _assembled(
    project: Path, values: Mapping[str, Any], table: Mapping[str, str], routes: tuple[DataRoute, ...]
) -> Settings:
    by_section: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    for key, value in values.items():
        section, dot, name = key.partition(".")
        if dot:
            by_section[section][name] = value
    made: dict[str, Any] = {name: SECTIONS[name](**content) for name, content in by_section.items()}
    if made["cors"].credentials and "*" in made["cors"].origins:
        raise ConfigError("cors.credentials: not possible with every origin; name the origins in cors.origins")
    return Settings(
        project=project,
        functions=project / values.get("functions", "functions"),
        data=project / values.get("data", ".flux"),
        env=MappingProxyType(dict(table)),
        routes=routes,
        **made,
    )

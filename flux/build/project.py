"""What a build needs to know of a project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType

from flux.config import Settings
from flux.manifest import Auth, DataRoute, Limits

BUILDS_FOLDER = "builds"


@dataclass(frozen=True, kw_only=True)
class Project:
    """`folder` holds flux.toml, package.json and the like; `builds` is the store of builds in the data folder.

    `limits` and `auth` hold for functions whose flux.json says nothing else; `env` is part of a function's version.
    """

    folder: Path
    functions: Path
    builds: Path
    limits: Limits = field(default_factory=Limits)
    auth: Auth = "none"
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    routes: tuple[DataRoute, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Project:
        return cls(
            folder=settings.project.resolve(),
            functions=settings.functions.resolve(),
            builds=settings.data.resolve() / BUILDS_FOLDER,
            limits=Limits(**{limit.name: getattr(settings.limits, limit.name) for limit in fields(Limits)}),
            auth=settings.auth.default,
            env=settings.env,
            routes=settings.routes,
        )

    def shown(self, path: Path) -> str:
        """A path as error messages and `FunctionSpec.source` name it: relative to the project folder."""
        return os.path.relpath(path, self.folder)

    def shown_short(self, path: Path) -> str:
        """A path as stack frames name it, the way people speak of functions: relative to the functions folder."""
        return str(path.relative_to(self.functions)) if path.is_relative_to(self.functions) else self.shown(path)

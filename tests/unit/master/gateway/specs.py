"""Functions for tests."""

from __future__ import annotations

from flux.manifest import Auth, FunctionSpec, Manifest, Route


def function(name: str, *routes: str, auth: Auth = "none") -> FunctionSpec:
    """`routes` are written "POST /path"."""
    parsed = tuple(Route(method=route.split(" ")[0], path=route.split(" ", 1)[1]) for route in routes)
    return FunctionSpec(name=name, version="0" * 64, source=f"functions/{name}.ts", routes=parsed, auth=auth)


def manifest(*functions: FunctionSpec) -> Manifest:
    return Manifest(functions={spec.name: spec for spec in functions})

"""The OpenAPI document knows shapes by their names alone, and handlers import them from the package."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import is_typeddict

from flux.master.api import shapes


def declared() -> dict[str, list[str]]:
    """Names of shapes by the module that declares them."""
    modules = [import_module(f"{shapes.__name__}.{found.name}") for found in pkgutil.iter_modules(shapes.__path__)]
    return {
        module.__name__: [
            name for name, kind in vars(module).items() if is_typeddict(kind) and kind.__module__ == module.__name__
        ]
        for module in modules
    }


def test_two_resources_have_no_shape_of_one_name() -> None:
    names = [name for names in declared().values() for name in names]
    assert len(names) == len(set(names))


def test_every_shape_can_be_imported_from_the_package() -> None:
    for module, names in declared().items():
        for name in names:
            assert name in shapes.__all__
            assert getattr(shapes, name) is getattr(import_module(module), name)

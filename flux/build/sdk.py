"""Where the SDK (flux.ts, what `import ... from "flux"` means) lies."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from flux.build.project import Project

SDK_PACKAGE = "flux_sdk"  # how the folder `sdk` is installed
SOURCE, TYPES, QUERY_TYPES = "flux.ts", "flux.d.ts", "query.ts"
# In the project folder, by `flux generate`: what the types of "flux" know of its tables.
GENERATED_TYPES = "flux.d.ts"


@cache
def sdk_folder() -> Path:
    """The installed folder, or `sdk` beside the package in a source tree that is used without installing."""
    # importlib.resources cannot read a folder without __init__.py that is installed editable, so its spec is asked.
    spec = find_spec(SDK_PACKAGE)
    installed = [Path(location) for location in (spec and spec.submodule_search_locations) or ()]
    candidates = [*installed, Path(__file__).resolve().parents[2] / "sdk"]
    for folder in candidates:
        if (folder / SOURCE).is_file():
            return folder
    raise FileNotFoundError(f"the SDK is missing from this installation: no {SOURCE} in {candidates}")


def place_types(project: Project) -> None:
    """Puts the types into `<data>/types/`, where the project's tsconfig.json points editors to."""
    wanted = (sdk_folder() / TYPES).read_bytes()
    placed = project.builds.parent / "types" / TYPES
    if not placed.is_file() or placed.read_bytes() != wanted:
        placed.parent.mkdir(parents=True, exist_ok=True)
        placed.write_bytes(wanted)

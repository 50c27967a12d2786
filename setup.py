"""Builds the native modules; everything else about the package stands in pyproject.toml.

python setup.py build_ext --inplace          both modules beside their sources, for editable use
FLUX_NATIVE=flux.ipc._ring python setup.py build_ext --inplace      one of them
FLUX_SANITIZE=1 ...                          with the address and undefined behaviour sanitizers (tests/sanitize.sh)
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

SOURCES = {
    "flux.ipc._ring": "flux/ipc/_ring.pyx",
    "flux.workers.isolate._bridge": "flux/workers/isolate/_bridge.pyx",
}


def flags() -> tuple[list[str], list[str]]:
    """(compiler flags, linker flags)."""
    # Cython's generated code is not ours to mend; -Wno-* are for what it is known to leave behind.
    compiler = ["-std=c11", "-Wall", "-Wno-unused-function", "-fno-strict-aliasing"]
    if os.environ.get("FLUX_SANITIZE") == "1":
        # Memory errors and undefined behaviour end the process, so that a test cannot pass by accident.
        sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
        return [*compiler, "-g", "-O1", "-fno-omit-frame-pointer", *sanitizers], sanitizers
    return [*compiler, "-O2"], []


def extensions() -> list[Extension]:
    compiler, linker = flags()
    wanted = os.environ.get("FLUX_NATIVE", "").split(",") if os.environ.get("FLUX_NATIVE") else list(SOURCES)
    if unknown := set(wanted) - set(SOURCES):
        sys.exit(f"FLUX_NATIVE names {', '.join(sorted(unknown))}; there are {', '.join(SOURCES)}")
    missing = [SOURCES[name] for name in wanted if not Path(SOURCES[name]).is_file()]
    if missing:
        print(f"not built, because the source is missing: {', '.join(missing)}", file=sys.stderr)
    return [
        Extension(
            name,
            [SOURCES[name]],
            depends=[str(header) for header in Path(SOURCES[name]).parent.glob("*.h")],
            extra_compile_args=compiler,
            extra_link_args=linker,
        )
        for name in wanted
        if SOURCES[name] not in missing
    ]


def packages() -> list[str]:
    """`cli` and `loadtest` install under names that cannot collide (package-dir in pyproject.toml)."""
    renamed = {"cli": "flux_cli", "loadtest": "flux_loadtest"}
    inner = [f"{name}.{sub}" for folder, name in renamed.items() for sub in find_packages(folder)]
    return [*find_packages(include=["flux", "flux.*"]), *renamed.values(), *inner, "flux_sdk"]


setup(packages=packages(), ext_modules=cythonize(extensions(), language_level=3, build_dir="build/cython"))

#!/bin/sh
# Builds a copy of the native modules with the address and undefined behaviour sanitizers, outside the source tree, and
# runs the tests of what stands on them: the ring, and the isolates where their tests are there.
#
#   tests/sanitize.sh [pytest arguments]      PYTHON=... to choose the interpreter (needs Cython, setuptools and gcc)
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
case $python in
    /*) ;;
    */*) python=$PWD/$python ;; # a relative path, as make gives it
esac
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT INT TERM

(cd "$root" && tar cf - --exclude='*.so' --exclude=__pycache__ setup.py flux tests) | tar xf - -C "$copy"
cd "$copy"
# pyproject.toml comes after the build: setup.py alone is enough for it, and needs no README.
FLUX_SANITIZE=1 "$python" setup.py -q build_ext --inplace
cp "$root/pyproject.toml" .

targets=
for folder in tests/unit/ipc tests/integration/ipc tests/unit/workers/isolate tests/integration/workers/isolate; do
    if [ -d "$folder" ]; then
        targets="$targets $folder"
    fi
done

# Leaks: the interpreter keeps memory until its end on purpose. PYTHONMALLOC: every object gets red zones of its own.
LD_PRELOAD=$(gcc -print-file-name=libasan.so)
export LD_PRELOAD ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc PYTHONPATH="$copy"
"$python" - <<'CHECK'
import flux.ipc._ring as ring

code = open(ring.__file__, "rb").read()
assert b"__asan_" in code and b"__ubsan_" in code, f"{ring.__file__} is not sanitized"
CHECK
# Without the kills: they are about what a process leaves behind, and would start 180 sanitized interpreters.
# shellcheck disable=SC2086  # the targets are words of their own
"$python" -m pytest -q -p no:cacheprovider $targets --ignore=tests/integration/ipc/test_kills.py "$@"

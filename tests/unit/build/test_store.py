from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from flux.build import store
from flux.errors import NotFound

BUNDLE = b"(() => {})();\n"


def build(bundle: bytes = BUNDLE) -> store.Build:
    version = store.version_of(bundle, {})
    return store.Build(version=version, bundle=bundle, source_map=b'{"version":3}', meta={"name": "a"})


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    made = build()
    store.save(tmp_path / "builds", made)
    assert store.has(tmp_path / "builds", made.version)
    assert store.load_bundle(tmp_path / "builds", made.version) == BUNDLE.decode()
    assert store.load_map(tmp_path / "builds", made.version) == b'{"version":3}'
    assert json.loads((tmp_path / "builds" / made.version / store.META).read_bytes()) == {"name": "a"}
    assert [path.name for path in (tmp_path / "builds").iterdir()] == [made.version]


def test_the_version_depends_on_bundle_and_env_alone() -> None:
    plain = store.version_of(BUNDLE, {})
    assert plain == store.version_of(BUNDLE, {})
    assert len({plain, store.version_of(b"x", {}), store.version_of(BUNDLE, {"A": "1"})}) == 3
    assert store.version_of(BUNDLE, {"A": "1", "B": "2"}) == store.version_of(BUNDLE, {"B": "2", "A": "1"})


def test_saving_again_changes_nothing(tmp_path: Path) -> None:
    made = build()
    store.save(tmp_path, made)
    before = (tmp_path / made.version / store.BUNDLE).stat()
    store.save(tmp_path, made)
    assert (tmp_path / made.version / store.BUNDLE).stat().st_mtime_ns == before.st_mtime_ns


def test_many_writers_of_one_version(tmp_path: Path) -> None:
    made = build(b"x" * 1_000_000)
    start = threading.Barrier(8)
    failures: list[Exception] = []

    def save() -> None:
        start.wait()
        try:
            store.save(tmp_path, made)
        except Exception as error:
            failures.append(error)

    writers = [threading.Thread(target=save) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    assert [path.name for path in tmp_path.iterdir()] == [made.version]
    assert store.load_bundle(tmp_path, made.version) == "x" * 1_000_000


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space"):
        store.save(tmp_path, build())
    assert list(tmp_path.iterdir()) == []


def test_scratch_of_killed_builds_goes(tmp_path: Path) -> None:
    old, new = tmp_path / ".scratch-old", tmp_path / ".scratch-new"
    old.mkdir()
    new.mkdir()
    os.utime(old, (0, 0))
    with store.scratch(tmp_path) as folder:
        assert folder.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == [".scratch-new"]


@pytest.mark.parametrize("version", ["", "abc", "../../etc/passwd", "A" * 64, "0" * 63 + "/", "0" * 64])
def test_versions_that_are_none(tmp_path: Path, version: str) -> None:
    with pytest.raises(NotFound):
        store.load_bundle(tmp_path, version)

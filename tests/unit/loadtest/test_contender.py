from __future__ import annotations

import secrets
from pathlib import Path

from loadtest.contender import ALL, FAR_AWAY_MS, FLUX, PROJECT, site


def test_a_flux_project_is_a_copy_whose_jobs_are_due_as_asked_for(tmp_path: Path) -> None:
    for consume, delay in ((False, FAR_AWAY_MS), (True, 0)):
        with site(tmp_path / str(consume), "postgresql:///x", consume=consume) as place:
            FLUX.prepare(place)
            assert f'JOB_DELAY_MS = "{delay}"' in (place.folder / "flux.toml").read_text()
            assert (place.folder / "functions/create_user.ts").exists()
    assert str(FAR_AWAY_MS) in (PROJECT / "flux.toml").read_text()


def test_rings_that_a_killed_flux_left_behind_are_freed(tmp_path: Path) -> None:
    instance = "test" + secrets.token_hex(6)
    mine, other = (Path("/dev/shm", f"flux-{name}-1-2-3") for name in (instance, f"{instance}x"))
    mine.touch()
    other.touch()
    try:
        with site(tmp_path / "site", "postgresql:///x") as place:
            (place.folder / "data").mkdir()
            (place.folder / "data/instance").write_text(f"{instance}\n")
        assert not mine.exists()
        assert other.exists(), "only those of this site are freed"
    finally:
        other.unlink()


def test_contenders_listen_on_loopback_only(tmp_path: Path) -> None:
    with site(tmp_path / "site", "postgresql:///x") as place:
        for contender in ALL:
            assert "0.0.0.0" not in contender.command(place)
            assert str(place.port) in contender.command(place)

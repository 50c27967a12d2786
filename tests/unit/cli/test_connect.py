from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cli.connect import DEFAULT_URL, Target, find
from cli.errors import BadUsage
from cli.served import Served, remember, remembered

STATE = Path("/nonexistent")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "functions" / "deep").mkdir(parents=True)
    (folder / "flux.toml").touch()
    return folder


def serve(data: Path, url: str = "http://127.0.0.1:4123") -> None:
    data.mkdir(parents=True, exist_ok=True)
    (data / "server.json").write_text(
        json.dumps({"pid": os.getpid(), "url": url, "started_at": "2026-11-22T14:00:00Z"})
    )
    (data / "operator.key").write_text("flux_op_secret\n")


def found(
    cwd: Path,
    *,
    url: str | None = None,
    project: Path | None = None,
    data: Path | None = None,
    state: dict[str, str] | None = None,
    **env: str,
) -> Target:
    return find(
        url=url, project=project, data=data, env={"XDG_STATE_HOME": str(STATE), **env, **(state or {})}, cwd=cwd
    )


def test_the_default_without_a_project(tmp_path: Path) -> None:
    assert found(tmp_path) == Target(url=DEFAULT_URL, key=None, found="the default")


def test_the_running_server_of_the_nearest_project_upwards(project: Path) -> None:
    serve(project / ".flux")
    target = found(project / "functions" / "deep")
    assert (target.url, target.key) == ("http://127.0.0.1:4123", "flux_op_secret")


def test_a_data_folder_makes_a_project(tmp_path: Path) -> None:
    serve(tmp_path / ".flux")
    assert found(tmp_path).url == "http://127.0.0.1:4123"


def test_data_folder_from_option_environment_and_settings(project: Path, tmp_path: Path) -> None:
    serve(tmp_path / "elsewhere", "http://127.0.0.1:5001")
    serve(project / "env", "http://127.0.0.1:5002")
    serve(project / "set", "http://127.0.0.1:5003")
    (project / "flux.toml").write_text('data = "set"\n')
    assert found(project).url == "http://127.0.0.1:5003"
    assert found(tmp_path, project=Path("project")).url == "http://127.0.0.1:5003"
    assert found(project, FLUX_DATA="env").url == "http://127.0.0.1:5002"
    assert found(project, data=tmp_path / "elsewhere", FLUX_DATA="env").url == "http://127.0.0.1:5001"


def test_settings_that_are_not_valid_do_not_keep_from_the_server(project: Path) -> None:
    (project / "flux.toml").write_text("data = = 1")
    serve(project / ".flux")
    assert found(project).url == "http://127.0.0.1:4123"


def test_url_and_key_given_win(project: Path) -> None:
    serve(project / ".flux")
    target = found(project, url="http://127.0.0.1:9", FLUX_KEY="mine")
    assert (target.url, target.key) == ("http://127.0.0.1:9", "mine")


def test_a_servers_key_is_sent_to_no_other_server(project: Path) -> None:
    serve(project / ".flux")
    assert found(project, url="https://flux.example.com").key is None
    assert found(project, url="https://flux.example.com", FLUX_KEY="mine").key == "mine"
    assert found(project, url="http://127.0.0.1:4000").key is None
    assert found(project, url="http://localhost:4123").key == "flux_op_secret"


@pytest.mark.parametrize(
    ("listening", "reachable"),
    [("http://0.0.0.0:4000", "http://127.0.0.1:4000"), ("http://[::]:4000", "http://[::1]:4000")],
)
def test_server_on_every_address_is_asked_on_loopback(project: Path, listening: str, reachable: str) -> None:
    serve(project / ".flux", listening)
    assert found(project).url == reachable


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"url": null}'])
def test_damaged_server_json_counts_as_none(project: Path, text: str) -> None:
    (project / ".flux").mkdir()
    (project / ".flux" / "server.json").write_text(text)
    assert found(project).url == DEFAULT_URL


@pytest.mark.parametrize("url", ["localhost:4000", "ftp://x", "http://", "http://x:y"])
def test_what_is_not_a_url_is_a_mistake(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadUsage):
        found(tmp_path, url=url)


def test_server_whose_process_is_gone_is_not_asked(project: Path) -> None:
    serve(project / ".flux")
    file = project / ".flux" / "server.json"
    file.write_text(file.read_text().replace(str(os.getpid()), str(2**22 + 1)))  # above the largest process ID
    target = found(project)
    assert (target.url, target.key) == (DEFAULT_URL, "flux_op_secret")


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def elsewhere(tmp_path: Path, name: str, port: int, state: dict[str, str]) -> Path:
    """A server of this user whose project the current folder knows nothing of."""
    serve(tmp_path / name / "data", f"http://127.0.0.1:{port}")
    remember(Served(project=tmp_path / name, data=tmp_path / name / "data"), state)
    return tmp_path / name


def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def test_outside_of_a_project_the_only_server_is_meant(tmp_path: Path, state: dict[str, str]) -> None:
    elsewhere(tmp_path, "a", 5001, state)
    target = found(outside(tmp_path), state=state)
    assert (target.url, target.key) == ("http://127.0.0.1:5001", "flux_op_secret")


def test_outside_of_a_project_several_servers_are_a_question(tmp_path: Path, state: dict[str, str]) -> None:
    elsewhere(tmp_path, "a", 5001, state)
    elsewhere(tmp_path, "b", 5002, state)
    cwd = outside(tmp_path)
    with pytest.raises(BadUsage, match="several servers"):
        found(cwd, state=state)
    assert found(cwd, url="http://localhost:5002", state=state).key == "flux_op_secret"
    elsewhere(tmp_path, "c", 4000, state)
    assert found(cwd, state=state).url == DEFAULT_URL


def test_in_a_project_another_projects_server_is_not_meant(
    project: Path, tmp_path: Path, state: dict[str, str]
) -> None:
    elsewhere(tmp_path, "a", 5001, state)
    target = found(project, state=state)
    assert (target.url, target.key) == (DEFAULT_URL, None)
    remember(Served(project=project, data=tmp_path / "a" / "data"), state)
    assert found(project, state=state).url == "http://127.0.0.1:5001"


def test_what_is_remembered_is_bounded_newest_first_and_survives_damage(state: dict[str, str]) -> None:
    for number in range(40):
        remember(Served(project=Path("/p"), data=Path(f"/{number}")), state)
    remember(Served(project=Path("/p"), data=Path("/20")), state)
    kept = [str(entry.data) for entry in remembered(state)]
    assert kept[:2] == ["/20", "/39"]
    assert len(kept) == len(set(kept)) == 32
    file = Path(state["XDG_STATE_HOME"]) / "flux" / "served"
    file.write_text("nonsense\n[]\n" + file.read_text())
    assert len(remembered(state)) == 32


def test_home_that_cannot_be_written_to_is_no_reason_not_to_serve() -> None:
    remember(Served(project=Path("/p"), data=Path("/d")), {"XDG_STATE_HOME": "/dev/null"})
    assert remembered({"XDG_STATE_HOME": "/dev/null"}) == []

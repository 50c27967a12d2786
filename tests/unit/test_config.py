"""Settings: file, environment, command line, and what is said when one of them is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flux.config import SECTIONS, Settings, known, load, variable
from flux.errors import ConfigError

MIB = 1024 * 1024


def project(folder: Path, text: str) -> Path:
    (folder / "flux.toml").write_text(text)
    return folder


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    settings = load(tmp_path, env={})
    assert settings.project == tmp_path
    assert settings.functions == tmp_path / "functions"
    assert settings.data == tmp_path / ".flux"
    assert (settings.server.host, settings.server.port, settings.server.pin) == ("127.0.0.1", 4000, True)
    assert settings.record.mode == "strict"
    assert settings.database.url is None
    assert settings.rate_limit.rate == 0
    assert dict(settings.env) == {}


def test_the_file_is_read_with_sizes_lists_and_env(tmp_path: Path) -> None:
    settings = load(
        project(
            tmp_path,
            """
            functions = "src"
            [server]
            port = 4100
            header_timeout_s = 2.5
            [limits]
            body_bytes = "2 MiB"
            [cors]
            origins = ["https://app.example.com"]
            [env]
            GREETING = "hello"
            """,
        ),
        env={},
    )
    assert settings.functions == tmp_path / "src"
    assert settings.server.port == 4100
    assert settings.server.header_timeout_s == 2.5
    assert settings.limits.body_bytes == 2 * MIB
    assert settings.cors.origins == ("https://app.example.com",)
    assert settings.env["GREETING"] == "hello"


def test_command_line_wins_over_environment_wins_over_file(tmp_path: Path) -> None:
    folder = project(tmp_path, "[server]\nport = 1\nworkers = 1\nhost = 'file'\n")
    env = {"FLUX_PORT": "2", "FLUX_WORKERS": "2", "DATABASE_URL": "postgres://db/x", "FLUX_PIN": "no"}
    settings = load(folder, {"server.port": 3, "server.workers": None}, env)
    assert (settings.server.port, settings.server.workers, settings.server.host) == (3, 2, "file")
    assert settings.database.url == "postgres://db/x"
    assert settings.server.pin is False


def test_environment_speaks_text_for_every_type(tmp_path: Path) -> None:
    env = {
        "FLUX_CORS_ORIGINS": "https://a.example, https://b.example",
        "FLUX_RECORD_RING_BYTES": "32 MiB",
        "FLUX_RATE_LIMIT_RATE": "2.5",
        "FLUX_DATA": "/var/lib/flux",
        "FLUX_RECORD_MODE": "off",
    }
    settings = load(tmp_path, env=env)
    assert settings.cors.origins == ("https://a.example", "https://b.example")
    assert settings.record.ring_bytes == 32 * MIB
    assert settings.rate_limit.rate == 2.5
    assert settings.data == Path("/var/lib/flux")
    assert settings.record.mode == "off"


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = load(tmp_path, env={})
    with pytest.raises(AttributeError):
        settings.server.port = 1  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        settings.env["A"] = "1"  # type: ignore[index]  # that is the point


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nprot = 1", ['unknown setting "server.prot"', 'did you mean "server.port"', "[server] takes: host"]),
        ("[sever]\nport = 1", ['unknown setting "sever"', 'did you mean "server"']),
        ("prot = 1", ['unknown setting "prot"', "Sections: server"]),
        ("[server]\nport = '80'", ["server.port: must be a whole number", "found '80'"]),
        ("[server]\nport = true", ["must be a whole number"]),
        ("[server]\nport = 70000", ["must be at most 65535"]),
        ("[server]\npin = 1", ["must be true or false"]),
        ("[server]\nheader_timeout_s = nan", ["must be a number"]),
        ("[server]\nkeepalive_s = 0", ["must be at least 0.01"]),
        ("[server]\nhost = ''", ["must be a string that is not empty"]),
        ("[server]\ntrusted_callers = ['10.0.0.0/33']", ["server.trusted_callers", "10.0.0.0/33"]),
        ("[record]\nmode = 'fast'", ['must be one of "strict", "best-effort", "off"']),
        ("[record]\nring_bytes = '3 MiB'", ["must be a power of two"]),
        ("[record]\nring_bytes = '16 MB'", ['a size such as "16 MiB"']),
        ("[limits]\nheap_bytes = 1", ['must be at least "8 MiB"']),
        ("[cors]\norigins = 'https://a.example'", ["must be a list of strings"]),
        ("[cors]\norigins = ['a.example']", ["is not an origin"]),
        ("[cors]\norigins = ['*']\ncredentials = true", ["cors.credentials", "name the origins"]),
        ("server = 1", ["must be a table: [server]"]),
        ("[env]\nN = 1", ["env.N must be a string"]),
        ("env = 1", ["env must be a table"]),
        ("functions = 1", ["functions: must be the path of a folder"]),
        ("x =", ["not valid TOML"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(project(tmp_path, text), env={})
    for part in said:
        assert part in caught.value.message
    if "[cors]" not in text:
        assert "flux.toml" in caught.value.message


@pytest.mark.parametrize(
    ("overrides", "env", "said"),
    [
        ({"server.prot": 1}, {}, 'command line: unknown setting "server.prot"'),
        ({"server.port": -1}, {}, 'option "server.port": must be at least 0'),
        ({}, {"FLUX_PORT": "http"}, "FLUX_PORT (environment): must be a whole number"),
        ({}, {"FLUX_PIN": "maybe"}, "FLUX_PIN (environment): must be true or false"),
    ],
)
def test_the_source_is_named(tmp_path: Path, overrides: dict[str, Any], env: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, overrides, env)
    assert said in caught.value.message


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "flux.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load(tmp_path, env={})
    (tmp_path / "flux.toml").unlink()
    (tmp_path / "flux.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, env={})


def test_every_setting_is_declared_with_a_reason_and_a_variable_of_its_own() -> None:
    settings = known()
    assert all(entry.meta.reason.endswith((".", ")")) for entry in settings.values())
    assert len({variable(key) for key in settings}) == len(settings)
    assert set(SECTIONS) <= set(Settings.__dataclass_fields__)


def test_data_routes(tmp_path: Path) -> None:
    (tmp_path / "flux.toml").write_text('[[routes]]\ndb = "users"\nmethods = ["GET", "POST"]\n')
    (route,) = load(tmp_path, env={}).routes
    assert (route.table, route.path, route.methods) == ("users", "/users", ("GET", "POST"))
    (tmp_path / "flux.toml").write_text('[[routes]]\ndb = "users"\nmethod = ["GET"]\n')
    with pytest.raises(ConfigError, match=r'flux.toml: routes\[0\]: unknown key "method"; did you mean "methods"'):
        load(tmp_path, env={})
    (tmp_path / "flux.toml").write_text('[routes]\ndb = "users"\n')
    with pytest.raises(ConfigError, match="must be a list of tables"):
        load(tmp_path, env={})

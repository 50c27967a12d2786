"""Which server a command talks to, and with which key.

    1. --url or FLUX_URL
    2. the server of this project: server.json in its data folder (--project, or the nearest project upwards)
    3. outside of any project: the server that this user runs, if it is one
    4. http://127.0.0.1:4000

The key is FLUX_KEY, else operator.key of the data folder whose server has that URL. A URL that somebody pasted must not
be able to collect the key of another server.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .errors import BadUsage
from .served import remembered

DEFAULT_URL = "http://127.0.0.1:4000"
SETTINGS_FILE = "flux.toml"
DATA_FOLDER = ".flux"
SERVER_FOUND_NOWHERE = "the default"  # `Target.found` when no server is known to run

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
# What a server that listens on every address writes down; one cannot connect to it on every system.
_ANY = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - read from server.json, nothing is bound here


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """`found` says in words where the URL comes from."""

    url: str
    key: str | None
    found: str


def find(
    *, url: str | None, project: Path | None, data: Path | None, env: Mapping[str, str] = os.environ, cwd: Path
) -> Target:
    folders = candidates(project=project, data=data, env=env, cwd=cwd)
    running = {folder: address for folder in folders if (address := _running(folder)) is not None}
    key = env.get("FLUX_KEY")
    if url:
        same = [folder for folder, address in running.items() if _same(checked(url), address)]
        return Target(url=checked(url), key=key or _key(same), found="--url or FLUX_URL")
    if len(running) > 1 and DEFAULT_URL not in running.values():
        raise BadUsage(
            f"several servers run here: {', '.join(running.values())}",
            hint="choose one with --url, or go to its project's folder",
        )
    if running:
        folder = next((folder for folder in running if running[folder] == DEFAULT_URL), next(iter(running)))
        return Target(url=running[folder], key=key or _key([folder]), found=str(folder / "server.json"))
    return Target(url=DEFAULT_URL, key=key or _key(folders[:1]), found=SERVER_FOUND_NOWHERE)


def candidates(*, project: Path | None, data: Path | None, env: Mapping[str, str], cwd: Path) -> list[Path]:
    """Data folders to look into: what options or the project say; outside of any project, all of this user's."""
    if data is not None:
        return [(cwd / data).absolute()]
    root = (cwd / project).absolute() if project is not None else project_folder(cwd)
    own = data_folder(root, env)
    if (own / "server.json").exists():
        return [own]
    others = remembered(env)
    if is_project(root):
        others = [entry for entry in others if entry.project == root]
    return [own, *(entry.data for entry in others if entry.data != own)]


def data_folder(root: Path, env: Mapping[str, str]) -> Path:
    """FLUX_DATA, `data` of flux.toml, .flux: relative to the project folder."""
    return root / (env.get("FLUX_DATA") or _configured(root / SETTINGS_FILE) or DATA_FOLDER)


def is_project(folder: Path) -> bool:
    return (folder / SETTINGS_FILE).is_file() or (folder / DATA_FOLDER).is_dir()


def project_folder(start: Path) -> Path:
    """The nearest folder upwards that holds settings or data of Flux, else `start`."""
    start = start.absolute()
    return next((folder for folder in (start, *start.parents) if is_project(folder)), start)


def checked(url: str) -> str:
    """`url` when it is one that a command can talk to."""
    parts = urlsplit(url)
    try:
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:  # the port is not a number
        valid = False
    if not valid:
        raise BadUsage(f"{url!r} is not the URL of a server", hint=f"such as {DEFAULT_URL}")
    return url


def _configured(file: Path) -> str | None:
    """`data` of flux.toml. A file that is not valid is the server's to complain about."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    if "data" not in text:
        return None
    import tomllib

    try:
        value = tomllib.loads(text).get("data")
    except tomllib.TOMLDecodeError:
        return None
    return value if isinstance(value, str) else None


def _running(folder: Path) -> str | None:
    """The URL in server.json; None if there is none, or if its process is gone without having tidied up."""
    try:
        state = json.loads((folder / "server.json").read_text("utf-8"))
        url, pid = checked(str(state["url"])), state.get("pid")
    except (OSError, ValueError, KeyError, TypeError, BadUsage):
        return None
    if isinstance(pid, int) and not _alive(pid):
        return None
    for any_address, loopback in _ANY.items():
        url = url.replace(f"//{any_address}", f"//{loopback}")
    return url


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's: alive
        return True
    return True


def _same(url: str, other: str) -> bool:
    """Whether two URLs name one server; every loopback name is the same machine."""

    def place(text: str) -> tuple[str | None, int | None]:
        parts = urlsplit(text)
        return ("loopback" if parts.hostname in _LOOPBACK else parts.hostname), parts.port

    return place(url) == place(other)


def _key(folders: list[Path]) -> str | None:
    for folder in folders:
        try:
            return (folder / "operator.key").read_text("utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            continue
    return None

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from loadtest.processes import ContenderFailed, Tree, free_port

# A server with a child of its own; it says that it is ready once both are there.
SERVER = """
import http.server, subprocess, sys
class Ready(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""


async def started(folder: Path, program: str = SERVER) -> Tree:
    port = free_port()
    command = [sys.executable, "-c", program, str(port)]
    return await Tree.start(command, port=port, ready="/", folder=folder, env=dict(os.environ), log=folder / "log.txt")


def ended(processes: list[psutil.Process]) -> bool:
    """Killed ones may stay behind as zombies for a while: in a container not every process 1 reaps orphans."""
    _, alive = psutil.wait_procs(processes, timeout=10)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


async def test_a_tree_is_measured_as_a_whole_and_ended_as_a_whole(tmp_path: Path) -> None:
    tree = await started(tmp_path)
    members = tree.members()
    assert len(members) == 2
    assert tree.cpu_seconds() > 0
    # A Python process has more than a megabyte of its own.
    assert tree.pss_bytes() > 2_000_000
    await tree.stop()
    assert ended(members)


async def test_a_child_that_outlives_its_parent_is_ended_too(tmp_path: Path) -> None:
    tree = await started(tmp_path)
    members = tree.members()
    tree.kill_root()
    assert not tree.alive()
    await tree.stop()
    assert ended(members)


async def test_a_contender_that_ends_at_its_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ContenderFailed, match=r"(?s)code 3.*no such table"):
        await started(tmp_path, "import sys; print('no such table'); sys.exit(3)")

"""The mold: a small process, preloaded and free of threads, loops and V8, from which workers are forked.

Theory of operation. A worker must start in milliseconds and must not inherit an event loop, a thread or an isolate (V8
made before a fork hangs in the child). The master has all of these, so it never forks: it runs this module as a fresh
process and asks it for workers over a socket. The mold imports what workers need, so that its children share
those pages. It does two things: on `spawn` it forks; on SIGCHLD it reaps and reports. When the master's end of the
socket closes, the mold ends; its workers see their own socket close and end as well.

Messages are single packets (SOCK_SEQPACKET), pickled; both ends are ours and the socket is nameless.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
import sys
from typing import Any

import setproctitle

from .. import collector
from .boot import Boot, BootFiles

MAX_PACKET = 4 * 1024 * 1024  # a manifest of a few thousand functions


def run(control: socket.socket) -> None:
    """Serves spawn requests until the master closes its end. Does not return in the children."""
    setproctitle.setproctitle("flux: mold")
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal sends these to the whole group; the master decides
    wake_reader, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    import_worker()
    send(control, {"mold": os.getpid()})
    while True:
        readable, _, _ = select.select([control.fileno(), wake_reader], [], [])
        if wake_reader in readable:
            drain(wake_reader)
            for pid, status in reap():
                send(control, {"exited": pid, "status": status})
        if control.fileno() in readable:
            packet, files, _, _ = socket.recv_fds(control, MAX_PACKET, 8)
            if not packet:
                return
            boot: Boot = pickle.loads(packet)  # noqa: S301  from our own master, over a nameless socket
            pid = os.fork()
            if pid == 0:
                become_worker(boot, BootFiles(**_fields(files)), control, (wake_reader, wake_writer))
            for fd in files:
                os.close(fd)
            send(control, {"spawned": pid, "index": boot.index, "generation": boot.generation})


def import_worker() -> None:
    """Loads what every worker needs, before the first fork.

    And takes it out of the collector's sight: a collection in a worker would write to every object's header, and so
    copy all the pages that it shares with its mold.
    """
    from . import worker  # noqa: F401  the import is the purpose

    collector.settle()


def become_worker(boot: Boot, files: BootFiles, control: socket.socket, wake: tuple[int, int]) -> None:
    """In the child: leaves the mold's descriptors and handlers behind and runs the worker's life."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        for fd in wake:
            os.close(fd)
        from .worker import main

        status = main(boot, files)
    except BaseException:  # whatever it is, a forked child must never return into the mold's loop
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def drain(fd: int) -> None:
    try:
        while os.read(fd, 512):
            pass
    except BlockingIOError:
        pass


def reap() -> list[tuple[int, int]]:
    """(pid, exit code; negative for a signal) of all children that have ended."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, os.waitstatus_to_exitcode(status)))


def send(control: socket.socket, message: dict[str, Any]) -> None:
    # When the master is gone, the loop is about to see the end of file.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        control.send(pickle.dumps(message))


def _fields(files: list[int]) -> dict[str, int]:
    requests_bell, results_bell, control = files
    return {"requests_bell": requests_bell, "results_bell": results_bell, "control": control}


if __name__ == "__main__":
    run(socket.socket(fileno=int(sys.argv[1])))

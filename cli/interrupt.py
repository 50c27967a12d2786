"""Ctrl-C ends the process soon and quietly, whatever it is doing.

While a command works, an interrupt is a KeyboardInterrupt, so that it tidies up behind itself as for any error. That
alone is no promise:

- Python drops exceptions in finalizers, and in what runs behind each import: the command would go on. The process ends
  where it is told of that.
- What is being imported may not stand one (orjson crashes): while there is nothing to tidy up, the process just ends.
- A signal between Python's last look and a system call does not end that call, which then waits on.
- What comes after the exception can wait as well: to write into a pipe that nobody reads, for a thread.

So a thread of ours, which the signal itself wakes, ends the process when the main one has not done so by then. Where an
event loop with signal handlers of its own runs (`flux serve`), the signal wakes that loop instead.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # what `typing` would say: before `ends_the_process` nothing is imported that takes time
if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from types import FrameType, TracebackType
    from typing import NoReturn

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
# To tidy up. What takes longer may be cut off: the next command adopts an embedded Postgres that was not stopped.
GRACE_S = 1.0

something_to_tidy = False  # set by who starts what is to be stopped again

_IMPORT = "<frozen importlib._bootstrap>"  # the file of the frames that each import has


def ends_the_process() -> None:
    """From now on; to be called in the main thread. Where SIGINT is ignored (a job in the background), it stays so."""
    sys.excepthook = _not_caught
    sys.unraisablehook = _dropped

    import select
    import signal
    import threading

    signals, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def end() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # it must interrupt what the main thread waits for
        while os.read(signals, 1) != bytes([signal.SIGINT]):
            pass
        select.select([signals], [], [], GRACE_S)  # a second one ends it at once
        os._exit(EXIT_INTERRUPTED)

    threading.Thread(target=end, name="interrupt", daemon=True).start()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)


def _interrupted(number: int, frame: FrameType | None) -> None:
    while frame is not None and not something_to_tidy:
        if frame.f_code.co_filename == _IMPORT:
            _end_now()
        frame = frame.f_back
    raise KeyboardInterrupt


def _not_caught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A KeyboardInterrupt before there is a command, or behind it."""
    if issubclass(kind, KeyboardInterrupt):
        _end_now()
    sys.__excepthook__(kind, error, trace)


def _dropped(what: UnraisableHookArgs) -> None:
    if issubclass(what.exc_type, KeyboardInterrupt):
        _end_now()
    sys.__unraisablehook__(what)


def _end_now() -> NoReturn:
    try:  # noqa: SIM105  contextlib would have to be imported
        sys.stdout.flush()
    except (OSError, ValueError, RuntimeError):  # closed, or in the middle of a write
        pass
    os._exit(EXIT_INTERRUPTED)

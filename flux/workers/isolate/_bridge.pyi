from typing import Final

LIBRARY_VERSION: Final[str]
V8_VERSION: Final[str]
# Part types of a message.
UTF8: Final[int]
LATIN1: Final[int]
BUFFER: Final[int]
# Message kinds that the bridge itself carries out; higher ones go to the runtime.
BOOT: Final[int]
SOURCE: Final[int]
# Outcomes of a step.
OK: Final[int]
FAILED: Final[int]
KILLED: Final[int]
DEAD: Final[int]

class BridgeError(RuntimeError): ...

def initialise() -> None: ...
def open_isolates() -> int: ...

class NativeIsolate:
    def __init__(self, heap_limit: int) -> None: ...
    def fileno(self) -> int: ...
    def send(
        self,
        tag: int,
        kind: int,
        execution: int = 0,
        call: int = 0,
        clock: float = 0,
        ok: bool = True,
        *parts: tuple[int, bytes],
    ) -> None: ...
    def drain(self) -> list[tuple[int, int, int, int, bytes]]: ...
    def running(self) -> tuple[int, int]: ...
    def kill(self, tag: int, reason: int) -> bool: ...
    def heap(self) -> tuple[int, int, int]: ...
    def close(self) -> None: ...
    def leak(self) -> None: ...

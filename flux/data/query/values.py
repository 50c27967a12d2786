"""The values of a query while it is parsed, each at its slot."""

from __future__ import annotations

from typing import Any, Final

from flux.failure import HostError

from .format import MAX_SHAPE
from .model import Slot

# Slots are equal by their index, so the usual ones are made once.
_USUAL: Final = tuple(Slot(index) for index in range(256))


class Values:
    """A list that answers with the slot of what is put in."""

    def __init__(self) -> None:
        self.list: list[Any] = []
        self._names = 0

    def expect(self, names: int) -> None:
        """Counts names and operators before they are read. Raises 400 QUERY_TOO_LARGE, as `read` does."""
        self._names += names
        if self._names > MAX_SHAPE:
            raise HostError("QUERY_TOO_LARGE", 400, f"The query has more than {MAX_SHAPE} names and operators.")

    def slot(self, value: Any) -> Slot:
        index = len(self.list)
        self.list.append(value)
        return _USUAL[index] if index < 256 else Slot(index)

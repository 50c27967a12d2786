"""IDs that grow with time."""

from __future__ import annotations

import os
import time
from uuid import UUID

from flux.store.ids import growing_id


def test_versions_and_order() -> None:
    before = time.time_ns() // 1_000_000
    made = [UUID(growing_id()) for _ in range(1000)]
    assert all(each.version == 7 and each.variant == "specified in RFC 4122" for each in made)
    assert before <= made[0].int >> 80 <= made[-1].int >> 80 <= time.time_ns() // 1_000_000
    assert len(set(made)) == 1000
    assert [each.int >> 64 for each in made] == sorted(each.int >> 64 for each in made)


def test_a_child_makes_others() -> None:
    growing_id()
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, growing_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 100).decode()
    os.close(read)
    os.close(write)
    assert theirs[-12:] != growing_id()[-12:]

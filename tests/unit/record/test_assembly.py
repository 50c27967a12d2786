"""From ring entries to rows, whatever is open, spilled or cut off."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from flux.ipc.wire import JournalKind
from flux.record.assembly import Assembly
from flux.record.row import decode

from .samples import CAP, ID, records

WHY = ("WORKER_DIED", "worker died", 502)


def test_a_finished_execution_gives_its_row_and_frees_its_space() -> None:
    assembly = Assembly()
    entries = [*records(), (int(JournalKind.END), ID, b"the row", 600)]
    assert assembly.take(entries, 0) == [b"the row"]
    assert assembly.release_point(600) == 600
    assert not assembly.open


def test_an_open_execution_holds_back_everything_from_its_first_entry_on() -> None:
    assembly = Assembly()
    finished = bytes(16)
    assembly.take([(int(JournalKind.BEGIN), finished, b"{}", 40), (int(JournalKind.END), finished, b"row", 80)], 0)
    assembly.take(records(), 80)
    assert assembly.release_point(500) == 80


def test_a_spilled_execution_holds_nothing_back_until_it_writes_again() -> None:
    assembly = Assembly()
    assembly.take(records()[:3], 0)
    spilled = assembly.spill(before=200, taken=300)
    assert [(execution, number) for execution, number, _, _ in spilled] == [(ID, 0), (ID, 1), (ID, 2)]
    assert assembly.release_point(300) == 300
    assembly.take(records()[3:], 300)
    assert assembly.release_point(500) == 300
    assert [number for _, number, _, _ in assembly.spill(before=301, taken=500)] == [3, 4]


def test_recovery_joins_what_was_spilled_with_what_the_ring_held() -> None:
    whole = Assembly()
    whole.take(records(), 0)
    first = Assembly()
    first.take(records()[:3], 0)
    recovered = Assembly()
    recovered.restore(first.spill(before=1, taken=300))
    recovered.take(records()[3:], 300)
    assert recovered.close(ID, WHY, CAP) == whole.close(ID, WHY, CAP)


def test_a_cut_off_execution_shows_the_last_call_it_made() -> None:
    assembly = Assembly()
    assembly.take(records(), 0)
    row = assembly.close(ID, WHY, CAP)
    assert row is not None
    fields = decode(row)
    spans = orjson.loads(fields["spans"] or b"")
    assert [(span["name"], span["status"]) for span in spans] == [
        ("gateway", "ok"),
        ("create_user", "error"),
        ("db:select(users)", "ok"),
        ("sleep(50ms)", "open"),
    ]
    assert orjson.loads(fields["error"] or b"") == {"code": "WORKER_DIED", "message": "worker died"}
    assert fields["input"] == b'{"email":"a@b.co"}'
    assert orjson.loads(fields["logs"] or b"")[0]["message"] == "found"
    assert int.from_bytes(fields["status"] or b"", "big") == 502


def test_an_execution_without_its_head_gives_no_row() -> None:
    assembly = Assembly()
    assembly.take(records()[1:], 100)
    assert assembly.close(ID, WHY, CAP) is None


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=60))
def test_the_release_point_never_passes_an_open_entry(steps: list[tuple[int, bool]]) -> None:
    assembly = Assembly()
    position = 0
    first: dict[bytes, int] = {}
    for number, ends in steps:
        execution = bytes([number]) * 16
        start, position = position, position + 10
        kind = JournalKind.END if ends else JournalKind.ENTRY
        assembly.take([(int(kind), execution, b"x", position)], start)
        if ends:
            first.pop(execution, None)
        else:
            first.setdefault(execution, start)
        assert assembly.release_point(position) == min(first.values(), default=position)

"""Work goes to the least busy ready lane, comes back, or fails at once."""

from __future__ import annotations

import asyncio

import pytest

from flux.errors import Conflict, Overloaded, WorkerDied
from flux.ipc.wire import RequestKind, ResultKind, pack_result, unpack_request
from flux.master import dispatcher as module
from flux.master.dispatcher import Dispatcher, Lane
from flux.master.work import Work

from .conftest import FakeWorker

LIMIT = 4
Messages = list[tuple[int, bytes, bytes]]


def work(number: int, body: bytes = b"{}") -> Work:
    return Work(bytes([number]) * 16, b'{"n":%d}' % number, body, b"")


def dispatcher(messages: Messages | None = None) -> Dispatcher:
    def note(lane: Lane, kind: int, tag: bytes, payload: bytes) -> None:
        (messages if messages is not None else []).append((kind, tag, payload))

    return Dispatcher(asyncio.get_running_loop(), LIMIT, note)


def joined(dispatch: Dispatcher, worker: FakeWorker) -> None:
    dispatch.attach(worker.lane)
    dispatch.ready(worker.lane)


async def test_a_result_reaches_the_caller_whose_work_it_answers(worker: FakeWorker) -> None:
    dispatch = dispatcher()
    joined(dispatch, worker)
    first, second = dispatch.submit(work(1)), dispatch.submit(work(2))
    (kind, tag, payload), _ = worker.requests()
    assert (kind, tag, unpack_request(payload)) == (RequestKind.REQUEST, bytes([1]) * 16, (b'{"n":1}', b"", b"{}"))
    worker.results.send(ResultKind.RESULT, bytes([2]) * 16, *pack_result(201, b'[["a","b"]]', b"two"))
    assert tuple(await second) == (201, [("a", "b")], b"two")
    worker.results.send(ResultKind.RESULT, bytes([1]) * 16, *pack_result(200, b"", b"1"))
    assert (await first).body == b"1"
    assert dispatch.in_flight == 0


async def test_work_goes_to_the_lane_with_the_fewest_in_flight(worker: FakeWorker, other_worker: FakeWorker) -> None:
    dispatch = dispatcher()
    joined(dispatch, worker)
    joined(dispatch, other_worker)
    for number in range(1, 5):
        dispatch.submit(work(number))
    assert (len(worker.requests()), len(other_worker.requests())) == (2, 2)


async def test_past_the_limit_callers_are_refused_at_once(worker: FakeWorker) -> None:
    dispatch = dispatcher()
    joined(dispatch, worker)
    for number in range(LIMIT):
        dispatch.submit(work(number))
    with pytest.raises(Overloaded) as refused:
        dispatch.submit(work(99))
    assert refused.value.headers["Retry-After"]


async def test_an_id_that_is_in_flight_is_refused(worker: FakeWorker) -> None:
    dispatch = dispatcher()
    joined(dispatch, worker)
    dispatch.submit(work(1))
    with pytest.raises(Conflict):
        dispatch.submit(work(1))


async def test_work_waits_for_the_first_worker(worker: FakeWorker) -> None:
    dispatch = dispatcher()
    waiting = dispatch.submit(work(1))
    dispatch.attach(worker.lane)
    dispatch.ready(worker.lane)
    await worker.next_request()
    worker.results.send(ResultKind.RESULT, bytes([1]) * 16, *pack_result(200, b"", b"{}"))
    assert (await waiting).status == 200


async def test_without_any_worker_callers_are_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READY_WAIT_S", 0.01)
    with pytest.raises(Overloaded, match="No worker is ready"):
        await dispatcher().submit(work(1))


async def test_a_lost_lane_delivers_what_was_answered_and_fails_the_rest(worker: FakeWorker) -> None:
    dispatch = dispatcher()
    joined(dispatch, worker)
    answered, lost = dispatch.submit(work(1)), dispatch.submit(work(2))
    worker.segment.results.try_write(int(ResultKind.RESULT), bytes([1]) * 16, *pack_result(200, b"", b"{}"))
    failed = dispatch.lost(worker.lane)
    assert (await answered).status == 200
    with pytest.raises(WorkerDied):
        await lost
    assert [entry.request_id for entry in failed] == [bytes([2]) * 16]
    assert dispatch.lanes == []


async def test_a_closed_lane_finishes_but_takes_nothing_new(worker: FakeWorker, other_worker: FakeWorker) -> None:
    dispatch = dispatcher()
    joined(dispatch, worker)
    old = dispatch.submit(work(1))
    joined(dispatch, other_worker)
    dispatch.close(worker.lane)
    for number in (2, 3):
        dispatch.submit(work(number))
    assert (len(worker.requests()), len(other_worker.requests())) == (1, 2)
    worker.results.send(ResultKind.RESULT, bytes([1]) * 16, *pack_result(200, b"", b"{}"))
    assert (await old).status == 200


async def test_a_body_larger_than_the_ring_travels_in_pieces(worker: FakeWorker) -> None:
    dispatch = dispatcher()
    joined(dispatch, worker)
    body = bytes(range(256)) * 1000
    result = dispatch.submit(work(1, body))
    _, _, payload = await worker.next_request()
    assert unpack_request(payload)[2] == body
    worker.results.send(ResultKind.RESULT, bytes([1]) * 16, *pack_result(200, b"", b"{}"))
    assert (await result).status == 200


async def test_a_body_that_nobody_takes_is_refused(worker: FakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPACE_WAIT_S", 0.01)
    dispatch = dispatcher()
    joined(dispatch, worker)
    with pytest.raises(Overloaded):
        await dispatch.submit(work(1, bytes(1_000_000)))
    assert dispatch.in_flight == 0


async def test_what_is_no_result_is_passed_on(worker: FakeWorker) -> None:
    messages: Messages = []
    dispatch = dispatcher(messages)
    joined(dispatch, worker)
    worker.results.send(ResultKind.NUDGE, bytes(16), b"")
    while not messages:
        await asyncio.sleep(0)
    assert messages == [(ResultKind.NUDGE, bytes(16), b"")]

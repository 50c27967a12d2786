from __future__ import annotations

from collections import Counter
from itertools import islice

from loadtest.scenario import READ_AFTER_S, Stream, TraceReads


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def kinds(stream: Stream, number: int) -> Counter[str]:
    return Counter(request.kind for request in islice(stream, number))


def test_every_user_is_new() -> None:
    bodies = [request.body for run in ("a", "b") for request in islice(Stream("create_user", run), 100)]
    assert len(set(bodies)) == 200


def test_the_same_run_gives_the_same_stream() -> None:
    assert list(islice(Stream("mixed", "run"), 200)) == list(islice(Stream("mixed", "run"), 200))


def test_mixed_has_the_shares_that_it_states() -> None:
    found = kinds(Stream("mixed", "run"), 10_000)
    assert abs(found["hello"] - 7_000) < 200
    assert abs(found["create_user"] - 2_500) < 200
    assert abs(found["bad_input"] - 500) < 100


def test_mixed_reads_the_traces_of_answers_that_had_time_to_be_recorded() -> None:
    clock = Clock()
    stream = Stream("mixed", "run", TraceReads(path="/traces/{id}", headers=(("authorization", "Bearer k"),)), clock)
    stream.answered("one")
    assert kinds(stream, 1_000)["trace"] == 0
    clock.now = READ_AFTER_S
    reads = [request for request in islice(stream, 1_000) if request.kind == "trace"]
    assert [(request.path, request.recorded) for request in reads] == [("/traces/one", False)]
    assert b"authorization: Bearer k" in reads[0].encode("localhost")


def test_a_request_is_encoded_as_http() -> None:
    request = next(Stream("hello", "run"))
    assert request.encode("127.0.0.1:80") == (
        b"POST /hello HTTP/1.1\r\nhost: 127.0.0.1:80\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n"
        b'{"name":"Ada"}'
    )

from __future__ import annotations

import asyncio

from loadtest.client import closed_loop, open_loop
from loadtest.processes import free_port
from loadtest.scenario import Stream

from .servers import Behaviour, serving


async def test_the_closed_loop_sends_exactly_what_is_asked_for_and_keeps_the_ids() -> None:
    async with serving(Behaviour()) as seen:
        tally = await closed_loop(seen.address, Stream("hello", "run"), connections=4, seconds=30, requests=50)
    assert (seen.requests, tally.requests, tally.latencies.total) == (50, 50, 50)
    assert sorted(tally.answered) == sorted(f"id-{number}" for number in range(1, 51))
    assert not tally.errors


async def test_an_unexpected_status_is_an_error_and_no_success() -> None:
    async with serving(Behaviour(status=lambda number: 503 if number % 5 == 0 else 200)) as seen:
        tally = await closed_loop(seen.address, Stream("hello", "run"), connections=1, seconds=30, requests=50)
    assert tally.requests == len(tally.answered) == 40
    assert tally.errors == {"status 503": 10}


async def test_a_cut_connection_is_an_error_and_is_opened_again() -> None:
    async with serving(Behaviour(cut=lambda number: number == 10)) as seen:
        tally = await closed_loop(seen.address, Stream("hello", "run"), connections=1, seconds=30, requests=20)
    assert (tally.requests, tally.errors) == (19, {"connection": 1})
    assert "id-10" not in tally.answered


async def test_no_server_is_an_error_for_every_request() -> None:
    tally = await closed_loop(("127.0.0.1", free_port()), Stream("hello", "run"), connections=2, seconds=30, requests=4)
    assert (tally.requests, tally.errors) == (0, {"connection": 4})


async def test_the_closed_loop_stops_when_told_but_reads_what_is_in_flight() -> None:
    stop = asyncio.Event()

    def stop_at_30(number: int) -> int:
        if number == 30:
            stop.set()
        return 200

    async with serving(Behaviour(status=stop_at_30)) as seen:
        tally = await closed_loop(seen.address, Stream("hello", "run"), connections=3, seconds=30, stop=stop)
    assert tally.requests == seen.requests
    assert 30 <= seen.requests <= 33


async def test_the_open_loop_sends_its_rate_over_as_many_connections_as_are_free() -> None:
    async with serving(Behaviour()) as seen:
        tally = await open_loop(seen.address, Stream("hello", "run"), connections=4, seconds=0.5, rate=200)
    assert (tally.requests, seen.requests) == (100, 100)
    assert len(seen.writers) <= 4

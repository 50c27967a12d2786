"""The native bridge by itself: messages in and out, kills that hit whom they mean, no leaks, no forks."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from flux.workers.isolate import _bridge
from flux.workers.isolate._bridge import BridgeError, NativeIsolate

# A runtime of ten lines: says back what it is sent, and does a few evil things on demand.
ECHO = b"""(() => {
    let out = "";
    const evil = {
        loop() { for (;;); },
        later() { Promise.resolve().then(() => { for (;;); }) },
        async micro() { for (;;) await null },
        throws() { throw new Error("out of dispatch") },
    };
    const dispatch = (kind, execution, call, clock, ok, ...parts) => {
        const texts = parts.map((part) => part instanceof ArrayBuffer ? "buffer" + part.byteLength : part);
        out += [kind, execution, call, clock, ok, ...texts].join("|");
        evil[parts[0]]?.();
    };
    const flush = () => { const text = out; out = ""; return text };
    return [dispatch, flush, (promise, value) => { out += "rejected " + value }, () => { out += "handled" }];
})()"""


class Driver:
    def __init__(self, heap: int = 64 << 20) -> None:
        _bridge.initialise()
        self.native = NativeIsolate(heap)
        self.poll = select.poll()
        self.poll.register(self.native.fileno(), select.POLLIN)
        self.tag = 0
        self.say(ECHO, kind=_bridge.BOOT)
        ((_, status, _, _, _),) = self.outcomes(1)
        assert status == _bridge.OK

    def say(self, text: bytes, *, kind: int = 9, part: int | None = None) -> int:
        self.tag += 1
        self.native.send(self.tag, kind, 1, 2, 3.5, True, (_bridge.UTF8 if part is None else part, text))
        return self.tag

    def outcomes(self, count: int, patience_s: float = 20, *, kill: int = 0) -> list[tuple[int, int, int, int, bytes]]:
        """`kill`: kills this message again and again, as the watchdog does, for microtasks that a first kill left."""
        found: list[tuple[int, int, int, int, bytes]] = []
        deadline = time.monotonic() + patience_s
        while len(found) < count:
            assert time.monotonic() < deadline, found
            self.poll.poll(100)
            if kill:
                self.native.kill(kill, 1)
            found += self.native.drain()
        return found

    def kill_when_running(self, tag: int) -> None:
        deadline = time.monotonic() + 20
        while not self.native.kill(tag, 1):
            assert time.monotonic() < deadline
            time.sleep(0.0002)


@pytest.fixture
def driver() -> Iterator[Driver]:
    made = Driver()
    yield made
    made.native.close()


def test_a_message_and_its_parts_arrive_whole(driver: Driver) -> None:
    parts = ((_bridge.UTF8, "grüße 🎈".encode()), (_bridge.LATIN1, bytes([0xE9, 65])), (_bridge.BUFFER, b"abc"))
    driver.native.send(77, 9, 5, 6, 1_700_000_000_000_001.0, False, *parts)
    ((tag, status, reason, cpu_ns, out),) = driver.outcomes(1)
    assert (tag, status, reason) == (77, _bridge.OK, 0)
    assert cpu_ns > 0
    assert out.decode() == "9|5|6|1700000000000001|0|grüße 🎈|éA|buffer3"


@pytest.mark.parametrize("size", [0, 1, 4095, 1 << 20, 20 << 20])
def test_messages_of_any_size(driver: Driver, size: int) -> None:
    driver.say(b"x" * size)
    ((_, status, _, _, out),) = driver.outcomes(1)
    assert (status, len(out)) == (_bridge.OK, len(b"9|1|2|3.5|1|") + size)


def test_each_message_has_one_outcome_in_order(driver: Driver) -> None:
    tags = [driver.say(b"%d" % i) for i in range(5_000)]
    found = driver.outcomes(len(tags))
    assert [tag for tag, *_ in found] == tags
    assert [out for *_, out in found] == [b"9|1|2|3.5|1|%d" % i for i in range(5_000)]


@pytest.mark.parametrize("evil", [b"loop", b"later", b"micro"])
def test_a_kill_ends_its_step_and_no_other(driver: Driver, evil: bytes) -> None:
    before, culprit, after = driver.say(b"a"), driver.say(evil), driver.say(b"b")
    driver.kill_when_running(culprit)
    found = {tag: (status, reason) for tag, status, reason, _, _ in driver.outcomes(3, kill=culprit)}
    assert found == {before: (_bridge.OK, 0), culprit: (_bridge.KILLED, 1), after: (_bridge.OK, 0)}


def test_a_kill_that_comes_too_late_or_too_early_hits_nobody(driver: Driver) -> None:
    tag = driver.say(b"a")
    driver.outcomes(1)
    assert not driver.native.kill(tag, 1)
    assert not driver.native.kill(tag + 1, 1)
    assert not driver.native.kill(0, 1)
    driver.say(b"b")
    assert driver.outcomes(1)[0][1] == _bridge.OK


def test_kills_at_random_moments_never_hit_a_neighbour(driver: Driver) -> None:
    choose = random.Random(3)
    aimed: set[int] = set()
    tags: list[int] = []
    found = []
    for _ in range(3_000):
        tags.append(driver.say(b"x" * choose.randrange(2_000)))
        running, _ = driver.native.running()
        if running and choose.random() < 0.5 and driver.native.kill(running, 1):
            aimed.add(running)
        found += driver.native.drain()
    found += driver.outcomes(len(tags) - len(found))
    assert [tag for tag, *_ in found] == tags
    killed = {tag for tag, status, *_ in found if status == _bridge.KILLED}
    assert killed == aimed
    assert all(status in (_bridge.OK, _bridge.KILLED) for _, status, *_ in found)


def test_an_entry_function_that_throws_fails_its_message_only(driver: Driver) -> None:
    driver.say(b"throws")
    driver.say(b"a")
    assert [status for _, status, *_ in driver.outcomes(2)] == [_bridge.FAILED, _bridge.OK]


@pytest.mark.parametrize("source", [b"throw 1", b"}", b"'\xff'", b""])
def test_a_script_that_fails_is_told_to_the_runtime(driver: Driver, source: bytes) -> None:
    driver.say(source, kind=_bridge.SOURCE)
    ((_, status, _, _, out),) = driver.outcomes(1)
    assert status == _bridge.OK
    assert out.startswith(b"1|1|2|3.5|")


@pytest.mark.parametrize("source", [b"}", b"throw 1", b"[]", b"[1, 2, 3, 4]", b"null", b"({})"])
def test_a_bootstrap_that_is_none(source: bytes) -> None:
    _bridge.initialise()
    native = NativeIsolate(64 << 20)
    poll = select.poll()
    poll.register(native.fileno(), select.POLLIN)
    native.send(1, _bridge.BOOT, 0, 0, 0.0, True, (_bridge.UTF8, source))
    poll.poll(20_000)
    ((_, status, *_),) = native.drain()
    assert status == _bridge.FAILED
    native.close()


def test_a_closed_isolate_says_so() -> None:
    driver = Driver()
    driver.native.close()
    driver.native.close()
    for use in (driver.native.fileno, driver.native.drain, driver.native.running, driver.native.heap):
        with pytest.raises(BridgeError, match="closed"):
            use()
    with pytest.raises(BridgeError, match="closed"):
        driver.native.send(1, 9)


@pytest.mark.parametrize("evil", [b"a", b"loop", b"later", b"micro"])
def test_closing_with_work_in_flight(evil: bytes) -> None:
    for wait in (0, 0.001, 0.01):
        driver = Driver()
        for _ in range(10):
            driver.say(evil)
        time.sleep(wait)
        driver.native.close()
    assert _bridge.open_isolates() == 0


def test_isolates_that_nobody_closes_are_closed_by_the_collector() -> None:
    driver = Driver()
    driver.say(b"loop")
    del driver
    assert _bridge.open_isolates() == 0


def test_isolates_open_and_close_in_many_threads() -> None:
    def work() -> None:
        for _ in range(5):
            driver = Driver()
            driver.say(b"a")
            driver.outcomes(1)
            driver.native.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _bridge.open_isolates() == 0


SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
# A sanitizer keeps what was freed for a while; it finds leaks by other means than the size of the process.
by_size = pytest.mark.skipif(SANITIZED, reason="the size of a sanitized process says nothing")


def test_no_handle_stays_behind(driver: Driver) -> None:
    def held() -> int:
        for _ in range(100):
            driver.say(b"a")
        driver.outcomes(100)
        driver.say(b"loop")
        driver.kill_when_running(driver.tag)
        driver.outcomes(1)
        # The pump's own call may not have come back yet.
        driver.say(b"a")
        driver.outcomes(1)
        return driver.native.handles()

    # The pump's function, its arguments, and what the call that just ended has not given back.
    assert [held() <= 4 for _ in range(5)] == [True] * 5


@by_size
def test_nothing_is_leaked_by_messages(driver: Driver) -> None:
    def volley() -> int:
        for _ in range(200):
            driver.say(b"x" * 100_000)
            driver.outcomes(1)
        return psutil.Process().memory_info().rss

    volley()
    first = volley()
    for _ in range(4):
        last = volley()
    assert last - first < 20 << 20, "80 MB went through, and back"


@by_size
def test_nothing_is_leaked_by_isolates() -> None:
    def volley() -> tuple[int, int]:
        for _ in range(10):
            driver = Driver()
            driver.say(b"loop")
            driver.native.close()
        process = psutil.Process()
        return process.memory_info().rss, process.num_fds()

    volley()
    first, descriptors = volley()
    for _ in range(3):
        last, descriptors_then = volley()
    assert descriptors_then == descriptors
    assert last - first < 30 << 20


def test_a_fork_does_not_inherit_v8() -> None:
    _bridge.initialise()
    script = (
        "import os\n"
        "from flux.workers.isolate import _bridge\n"
        "_bridge.initialise(); _bridge.initialise()\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    for use in (_bridge.initialise, lambda: _bridge.NativeIsolate(1 << 26)):\n"
        "        try: use()\n"
        "        except _bridge.BridgeError as error: print(error, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert "before this process was forked" in first
    assert "call initialise() first" in second


def test_a_process_may_end_with_isolates_open() -> None:
    script = (
        "import asyncio\n"
        "from tests.integration.workers.isolate.harness import Service, function\n"
        "async def main():\n"
        "    service = Service(function('for (;;);'))\n"
        "    await service.isolate.ready()\n"
        "    service.begin()\n"
        "    global kept; kept = service\n"
        "asyncio.run(main())\n"
        "print('ended')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=30, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "ended"), done.stderr

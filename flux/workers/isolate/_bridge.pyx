# cython: language_level=3, embedsignature=True
"""The native border to V8: a thin Python face on `_v8.h`, which opens with the theory of operation.

Everything here runs on the loop's thread; what runs on the isolate's thread is in the header and knows no Python.
"""

import json
import os
import select
from importlib.util import find_spec
from pathlib import Path

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

cdef extern from "_v8.h" nogil:
    ctypedef struct mr_value:
        pass
    ctypedef struct flux_message:
        uint64_t tag
        int kind
        int execution
        int call
        int ok
        double clock
        unsigned char* part_type
        size_t* part_len
        char* bytes
    ctypedef struct flux_outcome:
        flux_outcome* next
        uint64_t tag
        int64_t cpu_ns
        int status
        int reason
        size_t len
        char* bytes
    ctypedef struct flux_isolate:
        int doorbell
        uint64_t context
        size_t heap_limit
        size_t heap_used
        size_t heap_external
        size_t heap_ceiling
    ctypedef struct flux_v8:
        void (*mr_init_v8)(const char*, const char*) noexcept nogil
        const char* (*mr_v8_version)() noexcept nogil
        size_t (*mr_context_count)() noexcept nogil
        mr_value* (*mr_heap_stats)(uint64_t) noexcept nogil
        void (*mr_free_value)(uint64_t, mr_value*) noexcept nogil
        size_t (*mr_value_count)(uint64_t) noexcept nogil
    flux_v8 v8
    const char* flux_load(const char*)
    void flux_started()
    flux_isolate* flux_open(size_t)
    void flux_close(flux_isolate*)
    flux_message* flux_message_new(size_t)
    void flux_send(flux_isolate*, flux_message*)
    flux_outcome* flux_drain(flux_isolate*)
    uint64_t flux_running(flux_isolate*, int64_t*)
    int flux_kill(flux_isolate*, uint64_t, int)
    const char* mr_text(mr_value*)
    size_t mr_length(mr_value*)
    enum:
        FLUX_PARTS, FLUX_BOOT, FLUX_SOURCE
        FLUX_PART_UTF8, FLUX_PART_LATIN1, FLUX_PART_BUFFER
        FLUX_STATUS_OK, FLUX_STATUS_FAILED, FLUX_STATUS_KILLED, FLUX_STATUS_DEAD

LIBRARY_VERSION = "0.14.1"
V8_VERSION = "14.4"
UTF8 = FLUX_PART_UTF8
LATIN1 = FLUX_PART_LATIN1
BUFFER = FLUX_PART_BUFFER
BOOT = FLUX_BOOT
SOURCE = FLUX_SOURCE
OK = FLUX_STATUS_OK
FAILED = FLUX_STATUS_FAILED
KILLED = FLUX_STATUS_KILLED
DEAD = FLUX_STATUS_DEAD

# All of V8's own work stays on the isolate's thread, which shares its CPU with the loop's thread.
cdef bytes _FLAGS = b"--single-threaded"

cdef int _initialised_in = 0


class BridgeError(RuntimeError):
    """The V8 library is missing, is not the version that this bridge was written for, or is used across a fork."""


def initialise():
    """Loads and starts V8 in this process, once; does nothing when that is done. To be called after the last fork.

    Time zone and locale are fixed for the whole process: functions see UTC and en-US wherever they run.
    """
    global _initialised_in
    cdef const char* problem
    if _initialised_in == os.getpid():
        return
    if _initialised_in:
        raise BridgeError("V8 was started before this process was forked; start it after the fork")
    spec = find_spec("py_mini_racer")
    if spec is None or not spec.submodule_search_locations:
        raise BridgeError(f"mini-racer {LIBRARY_VERSION} is not installed")
    folder = Path(spec.submodule_search_locations[0])
    cdef bytes path = os.fsencode(folder / "libmini_racer.so")
    problem = flux_load(path)
    if problem != NULL:
        raise BridgeError(f"libmini_racer.so is not that of mini-racer {LIBRARY_VERSION}: {problem.decode()}")
    version = v8.mr_v8_version().decode()
    if not version.startswith(V8_VERSION + "."):
        raise BridgeError(f"libmini_racer.so holds V8 {version}; this bridge was written for {V8_VERSION}")
    os.environ["TZ"] = "UTC"
    cdef bytes icu = os.fsencode(folder / "icudtl.dat")
    locale = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "en_US.UTF-8"
    try:
        v8.mr_init_v8(_FLAGS, icu)
        flux_started()
        _initialised_in = os.getpid()
        # ICU reads time zone and locale at their first use, which is in here, and keeps them.
        _prove()
    finally:
        if locale is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = locale


# A runtime of a few lines that uses all that the bridge relies on, and says what it saw.
cdef bytes _PROBE = b"""(() => {
    let out = "";
    const dispatch = (...args) => {
        const buffer = new Uint8Array(args.pop());
        const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions();
        out += [...args, buffer.join("+"), timeZone, locale].join();
        Promise.resolve().then(() => { out += ",microtask" });
        const rejected = Promise.reject("no");
        Promise.reject("yes");
        rejected.catch(() => {});
    };
    const flush = () => { const text = out; out = ""; return text };
    return [dispatch, flush, (promise, value) => { out += "," + (promise instanceof Promise) + value }, () => { out += ",handled" }];
})()"""
_PROVEN = "9,-1,2,1700000000000000,0,\u00e9,\u00ff,1+2,UTC,en-US,trueno,trueyes,handled,microtask".encode()
_PATIENCE_MS = 10_000


def _prove():
    """Raises BridgeError unless V8 behaves as `_v8.h` takes for granted."""
    cdef NativeIsolate probe = NativeIsolate(64 << 20)
    cdef mr_value* value
    doorbell = select.poll()
    doorbell.register(probe.fileno(), select.POLLIN)
    probe.send(1, BOOT, 0, 0, 0, True, (UTF8, _PROBE))
    probe.send(2, 9, -1, 2, 1.7e15, False, (UTF8, b"\xc3\xa9"), (LATIN1, b"\xff"), (BUFFER, b"\x01\x02"))
    outcomes = []
    while len(outcomes) < 2 and doorbell.poll(_PATIENCE_MS):
        outcomes += probe.drain()
    with nogil:
        value = v8.mr_heap_stats(probe._native.context)
    stats = json.loads(mr_text(value)[:mr_length(value)])
    v8.mr_free_value(probe._native.context, value)
    used, ceiling = probe._native.heap_used, probe._native.heap_ceiling
    said = [(tag, status, text) for tag, status, _, _, text in outcomes]
    probe.close()
    if said != [(1, OK, b""), (2, OK, _PROVEN)]:
        raise BridgeError(f"V8 does not behave as this bridge takes for granted: {said}")
    if ceiling != stats["heap_size_limit"] or abs(used - stats["used_heap_size"]) > 1 << 20:
        raise BridgeError(f"V8 counts memory in another way than this bridge takes for granted: {used}, {ceiling}, {stats}")


def open_isolates():
    """How many isolates are open in this process."""
    return v8.mr_context_count() if _initialised_in else 0


cdef class NativeIsolate:
    """One V8 isolate with its own thread. `fileno()` becomes readable when `drain()` has outcomes."""

    cdef flux_isolate* _native

    def __cinit__(self, size_t heap_limit):
        if _initialised_in != os.getpid():
            raise BridgeError("V8 is not started in this process; call initialise() first")
        with nogil:
            self._native = flux_open(heap_limit)
        if self._native == NULL:
            raise MemoryError("cannot open an isolate")

    cdef flux_isolate* _open(self) except NULL:
        if self._native == NULL:
            raise BridgeError("the isolate is closed")
        return self._native

    def fileno(self):
        return self._open().doorbell

    def send(self, uint64_t tag, int kind, int execution=0, int call=0, double clock=0, bint ok=True, *parts):
        """Posts one message. `parts` are up to four pairs (type, bytes). Tags are above 0 and chosen by the caller."""
        cdef flux_isolate* native = self._open()
        cdef size_t total = 0
        cdef int i = 0
        cdef bytes data
        cdef char* target
        if len(parts) > FLUX_PARTS:
            raise ValueError("too many parts")
        for part in parts:
            total += len(part[1])
        cdef flux_message* m = flux_message_new(total)
        if m == NULL:
            raise MemoryError
        m.tag, m.kind, m.execution, m.call, m.clock, m.ok = tag, kind, execution, call, clock, ok
        target = m.bytes
        for part in parts:
            data = part[1]
            m.part_type[i] = part[0]
            m.part_len[i] = len(data)
            memcpy(target, <const char*>data, len(data))
            target += len(data)
            i += 1
        flux_send(native, m)

    def drain(self):
        """All outcomes so far: a list of (tag, status, reason, CPU time in ns, outbox)."""
        cdef flux_outcome* item = flux_drain(self._open())
        cdef flux_outcome* following
        cdef list out = []
        while item != NULL:
            out.append((item.tag, item.status, item.reason, item.cpu_ns, item.bytes[:item.len]))
            following = item.next
            free(item)
            item = following
        return out

    def running(self):
        """(tag, CPU time so far in ns) of the step that runs now; tag 0 when none does."""
        cdef int64_t cpu_ns = 0
        cdef uint64_t tag = flux_running(self._open(), &cpu_ns)
        return tag, cpu_ns

    def kill(self, uint64_t tag, int reason):
        """Terminates the running step if it is that of `tag`; False if it is not."""
        return flux_kill(self._open(), tag, reason) != 0

    def heap(self):
        """(bytes used, bytes in array buffers, limit) as of the last collection or measurement."""
        cdef flux_isolate* native = self._open()
        return native.heap_used, native.heap_external, native.heap_limit

    def handles(self):
        """How many of mini-racer's values are alive: a few, whatever went through. For tests."""
        return v8.mr_value_count(self._open().context)

    def close(self):
        """Ends the isolate and waits for its thread; a running step is terminated. Not for a dead or wedged one."""
        cdef flux_isolate* native = self._native
        self._native = NULL
        if native != NULL:
            with nogil:
                flux_close(native)

    def __dealloc__(self):
        # One that nobody closed; a wedged one was given up by leak().
        if self._native != NULL and _initialised_in == os.getpid():
            with nogil:
                flux_close(self._native)

    def leak(self):
        """Gives up an isolate that does not react: its thread and memory stay until the process ends."""
        self._native = NULL

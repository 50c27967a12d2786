# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A byte ring in shared memory: one writer process, one reader process, no locks.

THEORY OF OPERATION

Memory.  A ring is one control page followed by `capacity` bytes of data, a power of two. Three cursors count bytes since
the ring was made; they only grow, so that "empty" and "full" differ and a position names one byte for ever (2**64
bytes last 500 years at 1 GB/s). Byte `p` lies at `data[p mod capacity]`. Always:

        durable  <=  taken  <=  tail  <=  durable + capacity

        durable   space behind it is free again              written by the reader
        taken     the reader has what lies behind it         written by the reader
        tail      what lies behind it is wholly written      written by the writer

In a plain ring the reader moves `taken` and `durable` together. In a journal ring `durable` moves only by `release`,
when what lies behind it is safe elsewhere, so the ring is a write-ahead log: whoever reads after a crash calls `rewind`
and finds again everything that was not yet safe. Each cursor has a cache line pair of its own; sharing one would make
every write of one side a cache miss of the other.

Records.  {u32 length, u8 kind, u8 flags, u16 check, 16-byte tag} and the payload, padded to 8 bytes, copied in two
parts where the ring wraps: no padding records, no special case for "does it fit". `check` hashes the rest of the header
with the record's position, so a reader that lost its place, or memory that someone scribbled on, is found out at once.

Order.  The writer copies a record in and then publishes `tail` (release); the reader loads `tail` (acquire) and then copies
out. So a record is seen whole or not at all, and a writer that is killed while it copies has written nothing. The reader
copies out and then publishes `durable` (release); the writer loads it (acquire) before it overwrites.

Fragments.  A record larger than a share (a quarter of the ring) travels as fragments: FOLLOWS = "not the first", MORE =
"not the last". The reader joins them by (kind, tag). `try_write` publishes all fragments of a record at once.
`write_fragment` publishes one at a time, for records larger than the free space; a writer killed in between leaves an
incomplete record, which the reader can list and drop. A journal has no `write_fragment`: its space comes free only when
the reader has whole records, so two half-written ones could wait for each other for ever.

Sleep.  A reader that finds nothing sets `sleeping` and then looks at `tail` again; the writer publishes `tail` and then looks at
`sleeping`. A full fence stands between the two steps on both sides, so at least one of them sees the other: either
the reader stays awake or the writer rings the doorbell. A wake-up is never lost.

Trust.  The other side may be killed at any instruction, and a worker runs user code next door. Whatever is read from shared
memory is copied to private memory first and checked before use; what does not fit raises RingCorrupt and reads nothing.

Threads.  The GIL is held throughout, so threads of one process do not disturb each other. Python code can still get in
between (a buffer's owner, the garbage collector): `_busy` turns that into an error.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from flux.ipc.errors import RecordTooLarge, RingCorrupt

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    /* Two lines of 64 bytes: x86 fetches them in pairs, and some ARM cores have lines of 128. */
    #define FLUX_LINE 128

    typedef struct {
        struct { uint64_t magic; uint32_t version; uint32_t flags; uint64_t capacity; uint8_t pad[FLUX_LINE - 24]; } fixed;
        struct { uint64_t at; uint8_t pad[FLUX_LINE - 8]; } tail, taken, durable;
        struct { uint32_t flag; uint8_t pad[FLUX_LINE - 4]; } sleeping;
    } flux_control;

    typedef struct {
        uint32_t length;
        uint8_t kind;
        uint8_t flags;
        uint16_t check;
        uint8_t tag[16];
    } flux_header;

    _Static_assert(sizeof(flux_control) == 5 * FLUX_LINE, "every cursor on lines of its own");
    _Static_assert(sizeof(flux_header) == 24, "the header is part of the layout");

    static inline uint64_t flux_load(const uint64_t *cursor) { return __atomic_load_n(cursor, __ATOMIC_ACQUIRE); }
    static inline void flux_publish(uint64_t *cursor, uint64_t at) { __atomic_store_n(cursor, at, __ATOMIC_RELEASE); }
    static inline void flux_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
    static inline uint32_t flux_flag(const uint32_t *flag) { return __atomic_load_n(flag, __ATOMIC_RELAXED); }
    static inline uint32_t flux_swap(uint32_t *flag, uint32_t to) {
        return __atomic_exchange_n(flag, to, __ATOMIC_ACQ_REL);
    }

    /* Not a checksum of the payload: publication order keeps that whole. It says "a record begins at this position". */
    static inline uint16_t flux_check(uint64_t position, const flux_header *header) {
        uint64_t low, high, mixed;
        memcpy(&low, header->tag, 8);
        memcpy(&high, header->tag + 8, 8);
        mixed = position ^ (uint64_t)header->length << 24 ^ (uint64_t)header->kind << 8 ^ header->flags;
        mixed = (mixed ^ low) * UINT64_C(0x9E3779B97F4A7C15);
        mixed = (mixed ^ mixed >> 32 ^ high) * UINT64_C(0xD6E8FEB86659FD93);
        return (uint16_t)(mixed >> 48);
    }
    """
    ctypedef struct flux_fixed:
        uint64_t magic
        uint32_t version
        uint32_t flags
        uint64_t capacity

    ctypedef struct flux_cursor:
        uint64_t at

    ctypedef struct flux_sleeping:
        uint32_t flag

    ctypedef struct flux_control:
        flux_fixed fixed
        flux_cursor tail
        flux_cursor taken
        flux_cursor durable
        flux_sleeping sleeping

    ctypedef struct flux_header:
        uint32_t length
        uint8_t kind
        uint8_t flags
        uint16_t check
        uint8_t tag[16]

    uint64_t flux_load(const uint64_t *cursor) noexcept nogil
    void flux_publish(uint64_t *cursor, uint64_t at) noexcept nogil
    void flux_fence() noexcept nogil
    uint32_t flux_flag(const uint32_t *flag) noexcept nogil
    uint32_t flux_swap(uint32_t *flag, uint32_t to) noexcept nogil
    uint16_t flux_check(uint64_t position, const flux_header *header) noexcept nogil


cdef enum:
    HEADER = 24
    CONTROL = 4096  # one page, so that the data starts on a page too
    SHARES = 4  # a record that travels whole is at most capacity / SHARES
    JOURNAL_SHARES = 2  # a journal's largest record: with more, one record would need an all but empty ring
    PARTS = 8  # buffers that one try_write gathers; the wire format needs 4
    VERSION = 1
    FLAG_JOURNAL = 1
    MORE = 1
    FOLLOWS = 2

cdef uint64_t MAGIC = 0x474E495258554C46  # "FLUXRING" as a little-endian number
cdef uint64_t SMALLEST = 4096
cdef uint64_t LARGEST = 1 << 30
# Bounds what a reader holds for writers that never finish; far above any message limit that makes sense.
cdef uint64_t LARGEST_RECORD = 256 << 20
cdef Py_ssize_t MOST_INCOMPLETE = 64

CONTROL_BYTES = CONTROL
HEADER_BYTES = HEADER
MIN_CAPACITY = SMALLEST
MAX_CAPACITY = LARGEST
MAX_RECORD_BYTES = LARGEST_RECORD
MAX_INCOMPLETE = MOST_INCOMPLETE
MAX_PARTS = PARTS


ctypedef struct Gather:
    Py_buffer *views
    int count
    int part  # where copying goes on: this view,
    Py_ssize_t offset  # from this byte


cdef inline uint64_t padded(uint64_t length) noexcept nogil:
    """Bytes in the ring of a record with a payload of `length`."""
    return (HEADER + length + 7) & ~<uint64_t>7


cdef int require_capacity(uint64_t capacity) except -1:
    if capacity < SMALLEST or capacity > LARGEST or capacity & (capacity - 1):
        raise ValueError(f"a ring's capacity is a power of two from {SMALLEST} to {LARGEST} bytes, not {capacity}")
    return 0


@cython.final
cdef class _Incomplete:
    """A record of which some fragments have come."""

    cdef uint64_t start
    cdef uint64_t end
    cdef uint64_t size
    cdef list pieces

    def __cinit__(self, uint64_t start):
        self.start = start
        self.end = start
        self.pieces = []


@cython.final
cdef class Ring:
    """One end of a ring. Use one object as the writer or as the reader, and close it before its memory goes away."""

    cdef Py_buffer view
    cdef flux_control *control  # NULL once closed
    cdef uint8_t *data
    cdef uint64_t mask
    cdef uint64_t piece  # largest payload of one record
    cdef uint64_t freed  # writer: the last `durable` seen; it only grows, so it is a safe lower bound
    cdef bint busy
    cdef dict partial
    # Private copies: what is in shared memory is never believed twice.
    cdef readonly uint64_t capacity
    cdef readonly bint journal
    cdef readonly uint64_t orphans

    def __cinit__(self):
        self.control = NULL
        self.partial = {}

    def __dealloc__(self):
        if self.control != NULL:
            PyBuffer_Release(&self.view)

    def __init__(self):
        raise TypeError("use Ring.create or Ring.open")

    @staticmethod
    def create(buffer, uint64_t offset, uint64_t capacity, *, bint journal=False):
        """Lay out an empty ring at `offset` (a multiple of 128) of a writable buffer; takes CONTROL_BYTES + capacity."""
        require_capacity(capacity)
        cdef Ring ring = Ring.__new__(Ring)
        ring._map(buffer, offset, CONTROL + capacity)
        cdef flux_control *control = ring.control
        memset(control, 0, CONTROL)
        control.fixed.version = VERSION
        control.fixed.flags = FLAG_JOURNAL if journal else 0
        control.fixed.capacity = capacity
        flux_publish(&control.fixed.magic, MAGIC)
        ring._adopt(capacity, journal)
        return ring

    @staticmethod
    def open(buffer, uint64_t offset):
        """The ring that is laid out at `offset`. RingCorrupt when there is none, or its cursors cannot be right."""
        cdef Ring ring = Ring.__new__(Ring)
        ring._map(buffer, offset, CONTROL)
        cdef flux_control *control = ring.control
        cdef uint64_t capacity = control.fixed.capacity
        cdef uint32_t flags = control.fixed.flags
        if flux_load(&control.fixed.magic) != MAGIC:
            raise RingCorrupt("there is no ring here")
        if control.fixed.version != VERSION:
            raise RingCorrupt(f"the ring has layout version {control.fixed.version}, this Flux knows {VERSION}")
        if flags & ~<uint32_t>FLAG_JOURNAL:
            raise RingCorrupt(f"the ring has unknown flags {flags:#x}")
        if capacity < SMALLEST or capacity > LARGEST or capacity & (capacity - 1):
            raise RingCorrupt(f"the ring claims a capacity of {capacity} bytes")
        if <uint64_t>ring.view.len - offset - CONTROL < capacity:
            raise RingCorrupt(f"the ring claims {capacity} bytes, more than its memory holds")
        ring._adopt(capacity, flags & FLAG_JOURNAL)
        ring._checked_tail()
        return ring

    cdef int _map(self, buffer, uint64_t offset, uint64_t size) except -1:
        PyObject_GetBuffer(buffer, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        cdef uint64_t length = self.view.len
        if offset > length or length - offset < size or (<uintptr_t>self.view.buf + offset) % 128:
            PyBuffer_Release(&self.view)
            raise ValueError(f"no room for a ring of {size} bytes, aligned to 128, at {offset} of {length} bytes")
        self.control = <flux_control *>(<uint8_t *>self.view.buf + offset)
        self.data = <uint8_t *>self.control + CONTROL
        return 0

    cdef void _adopt(self, uint64_t capacity, bint journal) noexcept:
        self.capacity = capacity
        self.mask = capacity - 1
        self.piece = capacity // SHARES - HEADER
        self.journal = journal

    def close(self):
        """Let go of the memory. Closing twice is allowed."""
        if self.control == NULL:
            return
        self._enter()
        self.busy = False
        self.control = NULL
        self.partial.clear()
        PyBuffer_Release(&self.view)

    cdef inline int _enter(self) except -1:
        if self.control == NULL:
            raise ValueError("the ring is closed")
        if self.busy:
            raise RuntimeError("the ring was entered while another operation on it is under way")
        self.busy = True
        return 0

    cdef inline int _require_open(self) except -1:
        if self.control == NULL:
            raise ValueError("the ring is closed")
        return 0

    # --- cursors -----------------------------------------------------------------------------------------------

    cdef uint64_t _checked_tail(self) except? 0xFFFFFFFFFFFFFFFF:
        """`tail`, after all three cursors were found to be possible."""
        # Read back to front: whatever the other side does meanwhile can only widen the gaps.
        cdef uint64_t durable = flux_load(&self.control.durable.at)
        cdef uint64_t taken = flux_load(&self.control.taken.at)
        cdef uint64_t tail = flux_load(&self.control.tail.at)
        # The reader may free and the writer refill between these loads, so the ring's size bounds the gap to
        # a fresh `durable` only; a reader's own `durable` is always fresh.
        if durable > taken or taken > tail or (durable | taken | tail) & 7:
            raise RingCorrupt(f"impossible cursors: durable {durable}, taken {taken}, tail {tail}")
        if tail - durable > self.capacity and tail - flux_load(&self.control.durable.at) > self.capacity:
            raise RingCorrupt(f"the ring of {self.capacity} bytes claims to hold {tail - durable}")
        return tail

    cdef uint64_t _room(self, uint64_t tail) except? 0xFFFFFFFFFFFFFFFF:
        """Free bytes now (writer)."""
        cdef uint64_t durable = flux_load(&self.control.durable.at)
        if durable > tail or tail - durable > self.capacity or (durable | tail) & 7:
            raise RingCorrupt(f"impossible cursors: durable {durable}, tail {tail}, capacity {self.capacity}")
        self.freed = durable
        return self.capacity - (tail - durable)

    cdef bint _fits(self, uint64_t tail, uint64_t need) except -1:
        # Mostly answered by the cached bound, without a look at the reader's cache line.
        if self.freed <= tail and tail - self.freed <= self.capacity and self.capacity - (tail - self.freed) >= need:
            return True
        return self._room(tail) >= need

    @property
    def tail(self):
        """Position behind the last record written."""
        self._require_open()
        return flux_load(&self.control.tail.at)

    @property
    def taken(self):
        """Position behind the last record that the reader has."""
        self._require_open()
        return flux_load(&self.control.taken.at)

    @property
    def durable(self):
        """Position behind the last byte whose space is free again."""
        self._require_open()
        return flux_load(&self.control.durable.at)

    @property
    def free(self):
        """Bytes that can be written now; a record takes HEADER_BYTES more than its payload, rounded up to 8."""
        self._require_open()
        return self._room(flux_load(&self.control.tail.at))

    @property
    def largest(self):
        """Bytes of payload of the largest record that `try_write` can ever accept."""
        return self.piece * <uint64_t>(JOURNAL_SHARES if self.journal else SHARES)

    @property
    def share(self):
        """Bytes of payload of the largest record that travels whole."""
        return self.piece

    # --- copying -----------------------------------------------------------------------------------------------

    cdef inline void _copy_in(self, uint64_t position, const void *source, uint64_t size) noexcept:
        cdef uint64_t at = position & self.mask
        cdef uint64_t first = min(size, self.capacity - at)
        if first:
            memcpy(self.data + at, source, first)
        if size > first:
            memcpy(self.data, <const uint8_t *>source + first, size - first)

    cdef inline void _copy_out(self, uint64_t position, void *target, uint64_t size) noexcept:
        cdef uint64_t at = position & self.mask
        cdef uint64_t first = min(size, self.capacity - at)
        if first:
            memcpy(target, self.data + at, first)
        if size > first:
            memcpy(<uint8_t *>target + first, self.data, size - first)

    cdef uint64_t _put(self, uint64_t position, flux_header *header, Gather *gather) noexcept:
        """Copy one record in, its payload from where `gather` stands; returns the position behind it."""
        cdef uint64_t at = position + HEADER
        cdef uint64_t left = header.length
        cdef uint64_t size
        cdef Py_buffer *view
        header.check = flux_check(position, header)
        self._copy_in(position, header, HEADER)
        while left:
            view = &gather.views[gather.part]
            size = min(left, <uint64_t>(view.len - gather.offset))
            self._copy_in(at, <const uint8_t *>view.buf + gather.offset, size)
            at += size
            left -= size
            gather.offset += size
            if gather.offset == view.len:
                gather.part += 1
                gather.offset = 0
        return position + padded(header.length)

    # --- writer ------------------------------------------------------------------------------------------------

    def try_write(self, int kind, bytes tag not None, *parts):
        """Append one record made of the parts joined. False, and nothing written, when there is no room for it now.

        `kind` 0-255, `tag` 16 bytes, at most MAX_PARTS bytes-like parts. RecordTooLarge when it could never fit.
        """
        cdef Py_buffer views[PARTS]
        cdef Gather gather
        cdef uint64_t total = 0
        cdef flux_header header
        gather.views, gather.count, gather.part, gather.offset = &views[0], 0, 0, 0
        if len(parts) > PARTS:
            raise ValueError(f"at most {PARTS} parts make a record")
        self._address(&header, kind, tag)
        self._enter()
        try:
            for part in parts:
                PyObject_GetBuffer(part, &views[gather.count], PyBUF_SIMPLE)
                total += <uint64_t>views[gather.count].len
                gather.count += 1
            return self._append(&header, &gather, total)
        finally:
            self.busy = False
            while gather.count:
                gather.count -= 1
                PyBuffer_Release(&views[gather.count])

    cdef int _address(self, flux_header *header, int kind, bytes tag) except -1:
        if kind < 0 or kind > 255:
            raise ValueError(f"a record's kind is 0 to 255, not {kind}")
        if PyBytes_GET_SIZE(tag) != 16:
            raise ValueError(f"a record's tag is 16 bytes, not {PyBytes_GET_SIZE(tag)}")
        header.kind = <uint8_t>kind
        memcpy(header.tag, PyBytes_AS_STRING(tag), 16)
        return 0

    cdef bint _append(self, flux_header *header, Gather *gather, uint64_t total) except -1:
        cdef uint64_t pieces = (total + self.piece - 1) // self.piece if total else 1
        cdef uint64_t need = (pieces - 1) * padded(self.piece) + padded(total - (pieces - 1) * self.piece)
        cdef uint64_t tail = flux_load(&self.control.tail.at)
        cdef uint64_t position = tail
        cdef uint64_t index
        if pieces > <uint64_t>(JOURNAL_SHARES if self.journal else SHARES):
            raise RecordTooLarge(f"a record of {total} bytes never fits: this ring takes at most {self.largest}")
        if not self._fits(tail, need):
            return False
        for index in range(pieces):
            header.length = <uint32_t>(self.piece if index + 1 < pieces else total - index * self.piece)
            header.flags = (FOLLOWS if index else 0) | (MORE if index + 1 < pieces else 0)
            position = self._put(position, header, gather)
        flux_publish(&self.control.tail.at, position)
        return True

    def write_fragment(self, int kind, bytes tag not None, payload, uint64_t offset, uint64_t reserve=0):
        """Append the next fragment, from `offset`, of a record too large for the room there is; plain rings only.

        Writes a whole share or the rest, and only when `reserve` bytes stay free behind it. Returns the bytes of payload
        written: 0 means no room now. Two records of the same kind and tag must not be sent at once.
        """
        cdef Py_buffer view
        cdef Gather gather
        cdef flux_header header
        cdef uint64_t tail, left
        gather.views, gather.count, gather.part, gather.offset = &view, 1, 0, offset
        if self.journal:
            raise ValueError("a journal takes whole records only")
        self._address(&header, kind, tag)
        self._enter()
        try:
            PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
            try:
                if <uint64_t>view.len > LARGEST_RECORD:
                    raise RecordTooLarge(f"a record of {view.len} bytes is beyond the limit of {LARGEST_RECORD}")
                if offset >= <uint64_t>view.len:
                    raise ValueError(f"no fragment begins at {offset} of {view.len} bytes")
                left = <uint64_t>view.len - offset
                header.length = <uint32_t>min(left, self.piece)
                header.flags = (FOLLOWS if offset else 0) | (MORE if left > self.piece else 0)
                tail = flux_load(&self.control.tail.at)
                if reserve > self.capacity or not self._fits(tail, padded(header.length) + reserve):
                    return 0
                flux_publish(&self.control.tail.at, self._put(tail, &header, &gather))
                return header.length
            finally:
                PyBuffer_Release(&view)
        finally:
            self.busy = False

    def reader_sleeps(self):
        """After a write: True when the reader said that it sleeps, and must be woken; says so once per sleep."""
        self._require_open()
        flux_fence()
        if flux_flag(&self.control.sleeping.flag) == 0:
            return False
        return flux_swap(&self.control.sleeping.flag, 0) != 0

    # --- reader ------------------------------------------------------------------------------------------------

    def read(self, Py_ssize_t limit):
        """Up to `limit` records as (kind, tag, payload), oldest first; [] when there is nothing new.

        A plain ring has their space back when this returns. RingCorrupt comes after all good records were returned.
        """
        return self._read(limit, False)

    def read_with_positions(self, Py_ssize_t limit):
        """The same as (kind, tag, payload, position behind the record): what `release` wants to know."""
        return self._read(limit, True)

    cdef list _read(self, Py_ssize_t limit, bint positions):
        cdef uint64_t position, tail
        cdef list out = []
        if limit < 1:
            raise ValueError(f"cannot read {limit} records")
        self._enter()
        try:
            tail = self._checked_tail()
            position = flux_load(&self.control.taken.at)
            try:
                while position < tail and PyList_GET_SIZE(out) < limit:
                    position = self._take(position, tail, positions, out)
            except Exception:
                if PyList_GET_SIZE(out) == 0:
                    raise
                # What came before the fault is delivered first; the next call meets the fault again.
            finally:
                flux_publish(&self.control.taken.at, position)
                if not self.journal:
                    flux_publish(&self.control.durable.at, position)
        finally:
            self.busy = False
        return out

    cdef uint64_t _take(self, uint64_t position, uint64_t tail, bint positions, list out) except 0:
        """Copy out the record at `position`; returns the position behind it. On an exception nothing has changed."""
        cdef flux_header header
        self._header_at(position, tail, &header)
        cdef uint64_t end = position + padded(header.length)
        cdef bytes tag = PyBytes_FromStringAndSize(<char *>header.tag, 16)
        cdef bytes payload = PyBytes_FromStringAndSize(NULL, header.length)
        self._copy_out(position + HEADER, PyBytes_AS_STRING(payload), header.length)
        if header.flags:
            self._join(&header, tag, payload, position, end, positions, out)
            return end
        if self.partial:  # one of the same key that was begun belongs to a writer that was killed
            self.partial.pop((header.kind, tag), None)
        out.append((header.kind, tag, payload, end) if positions else (header.kind, tag, payload))
        return end

    cdef int _header_at(self, uint64_t position, uint64_t tail, flux_header *header) except -1:
        if tail - position < HEADER:
            raise RingCorrupt(f"a record is cut off at position {position}")
        self._copy_out(position, header, HEADER)
        if header.check != flux_check(position, header) or header.flags & ~(MORE | FOLLOWS):
            raise RingCorrupt(f"no record begins at position {position}")
        if header.length > self.piece or padded(header.length) > tail - position:
            raise RingCorrupt(f"the record at position {position} claims {header.length} bytes")
        return 0

    cdef int _join(
        self, flux_header *header, bytes tag, bytes payload, uint64_t start, uint64_t end, bint positions, list out
    ) except -1:
        cdef tuple key = (header.kind, tag)
        cdef _Incomplete record
        if header.flags & FOLLOWS:
            record = self.partial.get(key)
            if record is None:
                self.orphans += 1  # its first fragments went to a reader that was killed
                return 0
        else:
            if len(self.partial) >= MOST_INCOMPLETE and key not in self.partial:
                raise RingCorrupt(f"more than {MOST_INCOMPLETE} records were begun and not finished")
            # One of the same key that was begun before belongs to a writer that was killed.
            self.partial[key] = record = _Incomplete(start)
        if end > record.end:  # else it was added before an exception
            if record.size + header.length > LARGEST_RECORD:
                raise RingCorrupt(f"a record grew beyond the limit of {LARGEST_RECORD} bytes")
            record.pieces.append(payload)
            record.size += header.length
            record.end = end
        if not header.flags & MORE:
            payload = b"".join(record.pieces)
            out.append((header.kind, tag, payload, end) if positions else (header.kind, tag, payload))
            del self.partial[key]
        return 0

    def release(self, uint64_t position):
        """Give back a journal's space behind `position`: everything before it is safe elsewhere.

        ValueError unless it is the end of a record that was read.
        """
        cdef flux_header header
        self._require_open()
        if not self.journal:
            raise ValueError("only a journal's space is released by position")
        cdef uint64_t tail = self._checked_tail()
        if position < flux_load(&self.control.durable.at) or position > flux_load(&self.control.taken.at):
            raise ValueError(f"position {position} is not between durable {self.durable} and taken {self.taken}")
        if position < tail:
            try:
                self._header_at(position, tail, &header)
            except RingCorrupt as error:
                raise ValueError(f"position {position} is not the end of a record") from error
            if header.flags & FOLLOWS:
                raise ValueError(f"position {position} is inside a record")
        flux_publish(&self.control.durable.at, position)

    def rewind(self):
        """Recovery by a new reader: what the old one took but did not make durable is read again."""
        self._require_open()
        self._checked_tail()
        self.partial.clear()
        flux_publish(&self.control.taken.at, flux_load(&self.control.durable.at))

    def incomplete(self):
        """Records of which the last fragment has not come: [(kind, tag, bytes so far, position of the first)]."""
        cdef _Incomplete record
        listed = []
        for (kind, tag), item in self.partial.items():
            record = item
            listed.append((kind, tag, record.size, record.start))
        return listed

    def drop_incomplete(self):
        """Forget them (their writer is dead); returns how many there were."""
        count = len(self.partial)
        self.partial.clear()
        return count

    def prepare_sleep(self):
        """Ask to be woken. True: still nothing to read, so the caller may sleep; False: read on."""
        self._require_open()
        flux_swap(&self.control.sleeping.flag, 1)
        flux_fence()
        if flux_load(&self.control.tail.at) == flux_load(&self.control.taken.at):
            return True
        flux_swap(&self.control.sleeping.flag, 0)
        return False

    def awake(self):
        """Take the wish to be woken back."""
        self._require_open()
        flux_swap(&self.control.sleeping.flag, 0)

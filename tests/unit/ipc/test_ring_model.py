"""Any interleaving of what writer and reader can do, against a model that is a plain list of records.

The model knows sizes and order only; it has no memory layout. Sizes are drawn so that records are cut, wrap, fill the
ring exactly and do not fit. Deaths are part of it: a writer that dies while it copies (junk behind `tail`), one that
dies between fragments, a reader that dies with records it took but did not release.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from flux.ipc._ring import CONTROL_BYTES, HEADER_BYTES, Ring
from flux.ipc.errors import RecordTooLarge

from .conftest import make_ends

CAPACITY = 4096
SHARE = CAPACITY // 4 - HEADER_BYTES

kinds = st.integers(0, 3)
tags = st.sampled_from([b"a" * 16, b"b" * 16, bytes(16)])
# Small ones, and the neighbourhood of every size at which something changes.
sizes = st.one_of(
    st.integers(0, 64),
    st.builds(lambda base, off: max(0, base + off), st.sampled_from([SHARE, 2 * SHARE, 4 * SHARE]), st.integers(-9, 9)),
    st.integers(0, 5000),
)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One record as it lies in the ring."""

    kind: int
    tag: bytes
    payload: bytes
    first: bool
    last: bool
    end: int


def padded(length: int) -> int:
    return -(-(HEADER_BYTES + length) // 8) * 8


def content(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


class RingModel(RuleBasedStateMachine):
    journal = False
    taken_ends: Bundle[int] = Bundle("taken_ends")

    @initialize()
    def lay_out(self) -> None:
        self.writer, self.reader, self.memory = make_ends(CAPACITY, journal=self.journal)
        self.pieces: list[Piece] = []
        self.tail = self.taken = self.durable = 0
        self.partial: dict[tuple[int, bytes], list[bytes]] = {}
        self.orphans = 0
        self.asleep = False
        self.under_way: tuple[int, bytes, bytes, int] | None = None

    def teardown(self) -> None:
        if hasattr(self, "memory"):
            self.writer.close()
            self.reader.close()
            self.memory.release()

    @property
    def free(self) -> int:
        return CAPACITY - (self.tail - self.durable)

    def append(self, kind: int, tag: bytes, payload: bytes, *, first: bool, last: bool) -> None:
        self.tail += padded(len(payload))
        self.pieces.append(Piece(kind=kind, tag=tag, payload=payload, first=first, last=last, end=self.tail))

    # --- the writer

    @rule(kind=kinds, tag=tags, size=sizes, seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 5000), max_size=4))
    def write(self, kind: int, tag: bytes, size: int, seed: int, cuts: list[int]) -> None:
        payload = content(size, seed)
        edges = [0, *sorted(min(cut, size) for cut in cuts), size]
        parts = [payload[a:b] for a, b in pairwise(edges)]
        pieces = [payload[at : at + SHARE] for at in range(0, size, SHARE)] or [b""]
        if self.under_way is not None and self.under_way[:2] == (kind, tag):
            return  # a key must not be sent twice at once
        if len(pieces) > (2 if self.journal else 4):
            with pytest.raises(RecordTooLarge):
                self.writer.try_write(kind, tag, *parts)
            return
        fits = sum(padded(len(piece)) for piece in pieces) <= self.free
        assert self.writer.try_write(kind, tag, *parts) is fits
        if fits:
            for index, piece in enumerate(pieces):
                self.append(kind, tag, piece, first=index == 0, last=index == len(pieces) - 1)

    @rule(junk=st.binary(min_size=1, max_size=200), skip=st.integers(0, 200))
    def writer_dies_while_it_copies(self, junk: bytes, skip: int) -> None:
        for index, byte in enumerate(junk[: max(0, self.free - skip)]):
            self.memory[CONTROL_BYTES + (self.tail + skip + index) % CAPACITY] = byte
        self.replace_writer()

    @rule()
    def replace_writer(self) -> None:
        self.writer.close()
        self.writer = Ring.open(self.memory, 0)
        self.under_way = None

    # --- the reader

    @rule(target=taken_ends, limit=st.integers(1, 8))
    def read(self, limit: int) -> int:
        expected: list[tuple[int, bytes, bytes, int]] = []
        while len(expected) < limit and (piece := next((p for p in self.pieces if p.end > self.taken), None)):
            self.taken = piece.end
            key = (piece.kind, piece.tag)
            if piece.first:
                self.partial[key] = []
            if key not in self.partial:
                self.orphans += 1
                continue
            self.partial[key].append(piece.payload)
            if piece.last:
                expected.append((*key, b"".join(self.partial.pop(key)), piece.end))
        assert self.reader.read_with_positions(limit) == expected
        if not self.journal:
            self.free_behind(self.taken)
        return self.taken

    def free_behind(self, position: int) -> None:
        self.durable = position
        self.pieces = [piece for piece in self.pieces if piece.end > position]

    @rule()
    def replace_reader(self) -> None:
        self.reader.close()
        self.reader = Ring.open(self.memory, 0)
        self.partial = {}
        self.orphans = 0
        if self.journal:
            self.reader.rewind()
            self.taken = self.durable

    @rule()
    def prepare_sleep(self) -> None:
        self.asleep = self.taken == self.tail
        assert self.reader.prepare_sleep() is self.asleep

    @rule()
    def look_whether_the_reader_sleeps(self) -> None:
        assert self.writer.reader_sleeps() is self.asleep
        self.asleep = False

    @invariant()
    def the_two_agree(self) -> None:
        if not hasattr(self, "memory"):
            return
        for ring in (self.writer, self.reader):
            assert (ring.tail, ring.taken, ring.durable, ring.free) == (self.tail, self.taken, self.durable, self.free)
        assert self.reader.orphans == self.orphans
        listed = {(kind, tag): size for kind, tag, size, _ in self.reader.incomplete()}
        assert listed == {key: sum(map(len, pieces)) for key, pieces in self.partial.items()}


class PlainRing(RingModel):
    @precondition(lambda self: self.under_way is None)
    @rule(kind=kinds, tag=tags, size=st.integers(1, 9000), seed=st.integers(0, 2**32))
    def begin_a_long_record(self, kind: int, tag: bytes, size: int, seed: int) -> None:
        self.under_way = (kind, tag, content(size, seed), 0)

    @precondition(lambda self: self.under_way is not None)
    @rule(reserve=st.sampled_from([0, 0, 0, 1000, CAPACITY, CAPACITY + 1]))
    def write_fragment(self, reserve: int) -> None:
        assert self.under_way is not None
        kind, tag, payload, sent = self.under_way
        piece = payload[sent : sent + SHARE]
        fits = padded(len(piece)) + reserve <= self.free
        assert self.writer.write_fragment(kind, tag, payload, sent, reserve) == (len(piece) if fits else 0)
        if fits:
            last = sent + len(piece) == len(payload)
            self.append(kind, tag, piece, first=sent == 0, last=last)
            self.under_way = None if last else (kind, tag, payload, sent + len(piece))

    @rule()
    def drop_incomplete(self) -> None:
        assert self.reader.drop_incomplete() == len(self.partial)
        self.partial = {}


class JournalRing(RingModel):
    journal = True

    @rule(position=consumes(RingModel.taken_ends))
    def release(self, position: int) -> None:
        if self.durable <= position <= self.taken:
            self.reader.release(position)
            self.free_behind(position)
        else:
            with pytest.raises(ValueError, match="position"):
                self.reader.release(position)

    @rule(position=st.integers(0, 20_000))
    def release_somewhere(self, position: int) -> None:
        ends = {self.durable} | {piece.end for piece in self.pieces if piece.last and piece.end <= self.taken}
        if position not in ends:
            with pytest.raises(ValueError, match="position"):
                self.reader.release(position)

    @rule()
    def rewind(self) -> None:
        self.reader.rewind()
        self.taken = self.durable
        self.partial = {}


PlainRing.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
JournalRing.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestPlainRing = PlainRing.TestCase
TestJournalRing = JournalRing.TestCase

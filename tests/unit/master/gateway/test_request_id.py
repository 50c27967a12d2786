"""Request IDs, traceparent, trusted callers."""

from __future__ import annotations

import os
import uuid

import pytest

from flux.master.gateway.request_id import RequestIds, sent_id, sent_traceparent, text_of, trust

GOOD_PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_ids_are_version_4_and_unique_beyond_one_buffer() -> None:
    ids = RequestIds()
    made = [ids.new() for _ in range(1000)]
    assert len(set(made)) == 1000
    for raw in made:
        parsed = uuid.UUID(bytes=raw)
        assert parsed.version == 4
        assert parsed.variant == uuid.RFC_4122
        assert text_of(raw) == str(parsed)


def test_a_forked_child_makes_others() -> None:
    ids = RequestIds()
    ids.new()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, ids.new())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reader, 16)
    os.close(reader)
    os.close(writer)
    assert theirs != ids.new()


def test_a_sent_id_must_be_a_uuid() -> None:
    identity = uuid.uuid4()
    assert sent_id(str(identity)) == identity.bytes
    assert sent_id(str(identity).upper()) == identity.bytes
    for text in ("", "x", identity.hex, str(identity) + "0", str(identity) + "\n", "0" * 36, str(uuid.UUID(int=0))):
        assert sent_id(text) is None


@pytest.mark.parametrize("good", [GOOD_PARENT, GOOD_PARENT.replace("00-4", "01-4"), "cc" + GOOD_PARENT[2:] + "-future"])
def test_a_valid_traceparent_is_passed_on(good: str) -> None:
    assert sent_traceparent(good) == good


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        "ff" + GOOD_PARENT[2:],
        GOOD_PARENT + "-more",
        GOOD_PARENT.upper(),
        "00-" + "0" * 32 + GOOD_PARENT[35:],
        GOOD_PARENT[:36] + "0" * 16 + "-01",
        GOOD_PARENT[:-1],
        GOOD_PARENT + "\n",
    ],
)
def test_a_broken_traceparent_is_ignored(bad: str | None) -> None:
    assert sent_traceparent(bad) is None


def test_trusted_callers() -> None:
    trusted = trust(("127.0.0.0/8", "::1/128", "10.1.0.0/16"))
    assert all(map(trusted, ("127.0.0.1", "::1", "10.1.2.3", "::ffff:10.1.2.3")))
    assert not any(map(trusted, ("10.2.0.1", "::2", "", "nonsense", "fe80::1%eth0")))
    assert trusted("127.0.0.1")


def test_what_is_remembered_of_callers_is_bounded() -> None:
    trusted = trust(("10.0.0.0/24",))
    for number in range(10_000):
        assert trusted(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}") is (number < 256)

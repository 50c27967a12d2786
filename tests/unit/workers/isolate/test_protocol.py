"""Lines of the outbox as events."""

from __future__ import annotations

import pytest

from flux.workers.isolate import protocol
from flux.workers.isolate.protocol import parse


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b'7\t3\t2\tdb.find\t{"table":"t"}', protocol.Call(7, 3, 2, "db.find", b'{"table":"t"}')),
        (b"7\t3\t0\t~cancel\tnull", protocol.CallCancelled(7, 3)),
        (b'7\t3\t0\t~open\t"a b"', protocol.SpanOpened(7, 3, 0, "a b")),
        (b'7\t3\t0\t~open\t"\\ud800"', protocol.SpanOpened(7, 3, 0, "?")),
        (b"7\t3\t0\t~close\tnull", protocol.SpanClosed(7, 3, True, b"null")),
        (b"7\t3\t0\t~close!\tnull", protocol.SpanClosed(7, 3, False, b"null")),
        (b'7\t0\t0\t~log.warn\t{"message":""}', protocol.Logged(7, "warn", b'{"message":""}')),
        (b"7\t0\t0\t~redact\t1", protocol.Redacted(7, b"1")),
        (b"7\t0\t0\t~done\t1", protocol.Done(7, "json", b"1")),
        (b"7\t0\t0\t~response\t{}", protocol.Done(7, "response", b"{}")),
        (b"7\t0\t0\t~failed\t{}", protocol.Failed(7, b"{}")),
        (b"0\t0\t0\t~unhandled\t{}", protocol.Unhandled(0, b"{}")),
        (b"7\t0\t0\t~held\tnull", protocol.Settled(7, True)),
        (b'0\t0\t0\t~ready\t"fetch"', protocol.Loaded("fetch", None)),
        (b"0\t0\t0\t~module_failed\t{}", protocol.Loaded(None, b"{}")),
    ],
)
def test_each_line_is_an_event(line: bytes, event: protocol.Event) -> None:
    assert parse(line + b"\n") == [event]


def test_events_come_in_the_order_of_the_lines() -> None:
    outbox = b"".join(b"1\t%d\t0\tsleep\t{}\n" % number for number in range(1, 100))
    assert [event.id for event in parse(outbox) if isinstance(event, protocol.Call)] == list(range(1, 100))


def test_nothing_said_is_no_event() -> None:
    assert parse(b"") == []


@pytest.mark.parametrize("payload", [b"", b"{}\t{}", "é\u2028".encode()])
def test_the_payload_is_what_follows_the_fourth_tab(payload: bytes) -> None:
    assert parse(b"1\t2\t0\tinvoke\t" + payload) == [protocol.Call(1, 2, 0, "invoke", payload)]


@pytest.mark.parametrize("line", [b"1", b"1\t2\t3\top", b"x\t1\t0\top\t{}", b"1\t\t0\top\t{}"])
def test_a_malformed_line_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"unpack|invalid literal"):
        parse(line)

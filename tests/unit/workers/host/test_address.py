from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.workers.host.address import allowed, literal, normal, refusal

CORPUS = json.loads(Path(__file__).with_name("addresses.json").read_text())


@pytest.mark.parametrize(("text", "expected"), CORPUS)
def test_corpus(text: str, expected: str | None) -> None:
    assert refusal(ip_address(text)) == expected


@given(st.ip_addresses(v=4))
def test_agrees_with_the_standard_library(address: IPv4Address) -> None:
    if not address.is_global and address not in (IPv4Address("192.0.0.9"), IPv4Address("192.0.0.10")):
        assert refusal(address) is not None


@given(st.ip_addresses(v=6))
def test_nothing_outside_the_global_range_unless_it_embeds_a_public_address(address: IPv6Address) -> None:
    if refusal(address) is None and not address.is_global:
        # Older versions of the standard library do not call 6to4 addresses global.
        embedded = address.ipv4_mapped or address.sixtofour
        assert embedded is not None
        assert refusal(embedded) is None


@given(st.ip_addresses(v=4))
def test_embedded_addresses_are_judged_alike(address: IPv4Address) -> None:
    number = int(address)
    expected = refusal(address)
    assert refusal(IPv6Address(0xFFFF << 32 | number)) == expected
    assert refusal(IPv6Address(0x64FF9B << 96 | number)) == expected
    assert refusal(IPv6Address(0x2002 << 112 | number << 80 | 1)) == expected


@pytest.mark.parametrize(
    ("host", "port", "entries", "expected"),
    [
        ("localhost", 8080, ("localhost",), True),
        ("LOCALHOST.", 8080, ("localhost:8080",), True),
        ("localhost", 8081, ("localhost:8080",), False),
        ("localhost", 80, (), False),
        ("evil-localhost", 80, ("localhost",), False),
        ("localhost.evil.com", 80, ("localhost",), False),
        ("127.0.0.1", 80, ("localhost",), False),
        ("[::1]", 80, ("::1",), True),
        ("[::1]", 80, ("[::1]:80",), True),
        ("[0:0:0:0:0:0:0:1]", 80, ("[::1]:80",), True),
        ("[::1]", 81, ("[::1]:80",), False),
        ("10.0.0.7", 443, ("10.0.0.7:443",), True),
        ("10.0.0.70", 443, ("10.0.0.7",), False),
        ("x", 80, ("",), False),
    ],
)
def test_allow_list(host: str, port: int, entries: tuple[str, ...], expected: bool) -> None:
    assert allowed(host, port, entries) is expected


@pytest.mark.parametrize("name", ["localhost", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "example.com"])
def test_names_are_not_addresses(name: str) -> None:
    assert literal(name) is None


@pytest.mark.parametrize("text", ["127.0.0.1", "[::1]", "fe80::1%eth0", "::ffff:10.0.0.1"])
def test_addresses_in_every_spelling(text: str) -> None:
    address = literal(text)
    assert address is not None
    assert refusal(address) is not None


def test_normal_form() -> None:
    assert normal("[2001:DB8:0::1]") == "2001:db8::1"
    assert normal("Example.COM.") == "example.com"

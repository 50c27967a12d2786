"""Which addresses a function's `fetch` may reach: public ones, and the hosts that the project allows. Pure.

The lists are IANA's special-purpose registries, written out: what `ipaddress` calls global changes with Python's
version. IPv4 addresses inside IPv6 ones are judged as IPv4. Hosts of clouds that hand out credentials (metadata) lie in
these ranges or are listed beside them.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_REFUSED_V4 = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "metadata"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)

_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        # Teredo and other protocol assignments: tunnels whose far end is not the address itself.
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")


def refusal(address: Address) -> str | None:
    """Why this address must not be reached, in a word or two; None when it may."""
    if isinstance(address, IPv4Address):
        return next((reason for network, reason in _REFUSED_V4 if address in network), None)
    number = int(address)
    if address in _MAPPED or address in _NAT64:
        return refusal(IPv4Address(number & 0xFFFFFFFF))
    if address in _SIX_TO_FOUR:
        return refusal(IPv4Address(number >> 80 & 0xFFFFFFFF))
    for network, reason in _REFUSED_V6:
        if address in network:
            return reason
    return None if address in _GLOBAL_V6 else "reserved"


def literal(host: str) -> Address | None:
    """The address that `host` is, with or without brackets and zone; None for a name."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def normal(host: str) -> str:
    """A host as it is compared: lower case, no brackets, no final dot; addresses in their shortest form."""
    host = host.lower().strip("[]").removesuffix(".")
    address = literal(host)
    return str(address) if address is not None else host


def allowed(host: str, port: int, entries: Iterable[str]) -> bool:
    """True when an entry, "host" or "host:port" ("[v6]:port"), names this host."""
    wanted = normal(host)
    for entry in entries:
        name, entry_port = _split(entry)
        if normal(name) == wanted and entry_port in (None, port):
            return True
    return False


def _split(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        return name, int(port)
    return entry, None

"""Load is sent to this machine only."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit


class NotLoopback(ValueError):
    """Load tests run against this machine only: name 127.0.0.1, [::1] or localhost as the target."""

    def __init__(self, target: str) -> None:
        super().__init__(f"{target!r} is refused. {type(self).__doc__}")


def require_loopback(url: str) -> tuple[str, int]:
    """(address, port) of `url` when every address its host has is a loopback address; raises NotLoopback otherwise.

    The address is returned so that the caller connects to what was checked and does not resolve the name again.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.username is not None:
        raise NotLoopback(url)
    try:
        port = parts.port or 80
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise NotLoopback(url) from error
    addresses = [str(sockaddr[0]) for *_, sockaddr in found]
    if not all(ipaddress.ip_address(address).is_loopback for address in addresses):
        raise NotLoopback(url)
    return addresses[0], port

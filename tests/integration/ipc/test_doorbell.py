from __future__ import annotations

import asyncio
import os
import socket

from flux.ipc.doorbell import Doorbell


def test_rings_add_up_to_one_wake_up() -> None:
    doorbell = Doorbell.create()
    assert not doorbell.clear()
    doorbell.ring()
    doorbell.ring()
    assert doorbell.clear()
    assert not doorbell.clear()
    doorbell.close()
    doorbell.close()


def test_ringing_never_blocks() -> None:
    doorbell = Doorbell.create()
    os.eventfd_write(doorbell.fd, 2**64 - 2)
    doorbell.ring()
    assert doorbell.clear()
    doorbell.close()


def test_it_crosses_a_socket() -> None:
    ours, theirs = socket.socketpair()
    doorbell = Doorbell.create()
    with ours, theirs:
        socket.send_fds(ours, [b"bell"], [doorbell.fd])
        _, (fd,), _, _ = socket.recv_fds(theirs, 16, 1)
    arrived = Doorbell(fd)
    assert not os.get_inheritable(doorbell.fd)
    doorbell.ring()
    assert arrived.clear()
    doorbell.close()
    arrived.close()


async def test_a_loop_hears_it() -> None:
    doorbell = Doorbell.create()
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()
    loop.add_reader(doorbell.fd, heard.set)
    doorbell.ring()
    await heard.wait()
    loop.remove_reader(doorbell.fd)
    doorbell.close()

"""Shared memory between the master and its workers. Knows nothing of processes, HTTP or asyncio servers.

Where to look:

    _ring.pyx    the ring itself, native; theory of operation on top
    segment.py   one file in /dev/shm with a worker's three rings
    doorbell.py  the eventfd that wakes a sleeping reader
    channel.py   ring + doorbell + event loop: Sender and Receiver
    wire.py      which kinds of records there are and how they are packed
"""

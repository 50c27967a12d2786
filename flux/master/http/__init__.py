"""The HTTP edge: bytes of client connections to calls of the gateway, and back.

| file | what it knows |
|---|---|
| `head.py` | one request head out of bytes, by aiohttp's parser; which heads are refused |
| `framing.py` | where a body ends: announced length, chunks, trailers |
| `connection.py` | the life of one connection: a state table, timeouts, pipelining, lingering close |
| `exchange.py` | one request and its response on a connection |
| `responder.py`, `response.py`, `headers.py` | rendering |
| `front.py` | what is asked: a mount point, or the gateway and the dispatcher behind it |
| `mounts.py`, `serving.py` | the paths of the master itself: which they are, how their handlers are run |
| `edge.py` | the listening socket and all connections: limits, sweep, drain |
"""

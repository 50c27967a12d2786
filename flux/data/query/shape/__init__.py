"""`read`: a query's shape and values, fast. See `walk`."""

from .walk import Read, read

__all__ = ["Read", "read"]

"""The query format: `read` takes a query apart quickly, `parse` wholly. Its description is `format` and `forms`."""

from .parser import parse
from .shape import Read, read

__all__ = ["Read", "parse", "read"]

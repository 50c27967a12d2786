"""Names and constants in a statement's text. Pure; what goes in comes from the schema or from this package."""

from __future__ import annotations

from functools import lru_cache

# Names of a database that are in use; a schema of some thousand tables has about as many different ones.
CACHED_NAMES = 16_384


@lru_cache(CACHED_NAMES)
def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def constant(text: str) -> str:
    """A string constant that means the same whatever `standard_conforming_strings` is."""
    text = text.replace("'", "''")
    return "E'" + text.replace("\\", "\\\\") + "'" if "\\" in text else f"'{text}'"

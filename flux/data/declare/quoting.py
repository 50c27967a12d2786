"""Names and constants as SQL writes them. Pure."""

from __future__ import annotations


def quoted(name: str) -> str:
    """An identifier; always in quotes, so that no word is a keyword and no letter changes its case."""
    return '"' + name.replace('"', '""') + '"'


def names(columns: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, columns))


def literal(text: str) -> str:
    """A string constant, safe whatever standard_conforming_strings is."""
    escaped = text.replace("'", "''")
    return f"E'{escaped.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{escaped}'"

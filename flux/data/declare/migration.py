"""Changes as the text and the name of a numbered migration. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flux.errors import ConfigError

from .change import Change, statements

# A migration that cannot get its locks at once makes everybody behind it wait, too.
LOCK_TIMEOUT = "5s"
MAX_NUMBER = 9999
_SLUG_LETTERS = 40


def text(changes: Sequence[Change]) -> str:
    """The SQL file. All of it runs in one transaction (`flux.store.migrate`), so all of it happens or nothing."""
    lines = ["-- Written by `flux db push`. It may be edited until it has been applied.", "--"]
    for change in changes:
        lines.append(f"-- {change.summary}")
        lines += [f"--   LOSES {change.lost}"] if change.lost else []
        lines += [f"--   note: {change.note}"] if change.note else []
    lines = [" ".join(re.split(r"[\r\n]+", line)) for line in lines]  # either would end the comment
    lines += ["", f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}';", ""]
    lines += [f"{statement};" for statement in statements(changes)]
    return "\n".join(lines) + "\n"


def file_name(number: int, words: str) -> str:
    """ "0007_create_table_posts.sql". Raises ConfigError when there is no number left."""
    if number > MAX_NUMBER:
        raise ConfigError(f"Migrations are numbered up to {MAX_NUMBER}; join old ones into one file.")
    slug = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:_SLUG_LETTERS].strip("_")
    return f"{number:04}_{slug or 'schema'}.sql"

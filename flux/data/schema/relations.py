"""Foreign keys as relations, seen and named from both of their ends (the rule is in `model.Relation`). Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from .model import Index, Relation

_ID = "_id"


class ForeignKey(NamedTuple):
    """`columns` of table `holder` name a row of `target` by its `target_columns`, pairwise."""

    constraint: str
    holder: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]


def relations(
    keys: Sequence[ForeignKey], *, taken: Mapping[str, Collection[str]], unique: Mapping[str, Sequence[frozenset[str]]]
) -> dict[str, dict[str, Relation]]:
    """By table and name. `taken`: the names of each table's columns; `unique`: sets of columns that are unique in it.

    The order of `keys` makes no difference: where two want one name, the constraint that sorts first gets it.
    """
    ordered = sorted(keys, key=lambda key: (key.constraint, key.holder))
    found: dict[str, dict[str, Relation]] = defaultdict(dict)
    towards: dict[tuple[str, str], str] = {}  # the name at the holder's end, by holder and constraint
    for key in ordered:
        name = _free([_forward(key), key.constraint], taken=taken.get(key.holder, ()), used=found[key.holder])
        towards[key.holder, key.constraint] = name
        found[key.holder][name] = Relation(
            name=name,
            constraint=key.constraint,
            target=key.target,
            columns=key.columns,
            target_columns=key.target_columns,
            many=False,
        )
    together = Counter((key.holder, key.target) for key in ordered)
    for key in ordered:
        by = f"{key.holder}_by_{towards[key.holder, key.constraint]}"
        wanted = [by, key.constraint] if together[key.holder, key.target] > 1 else [key.holder, by, key.constraint]
        name = _free(wanted, taken=taken.get(key.target, ()), used=found[key.target])
        found[key.target][name] = Relation(
            name=name,
            constraint=key.constraint,
            target=key.holder,
            columns=key.target_columns,
            target_columns=key.columns,
            many=not any(columns <= set(key.columns) for columns in unique.get(key.holder, ())),
        )
    return dict(found)


def unique_columns(key: tuple[str, ...], indexes: Sequence[Index]) -> list[frozenset[str]]:
    """Sets of columns in which no two rows of a table are the same."""
    found = [frozenset(index.columns) for index in indexes if index.unique and not index.partial]
    return [*found, frozenset(key)] if key else found


def _forward(key: ForeignKey) -> str:
    """ "author" for a key of the one column "author_id"."""
    if len(key.columns) > 1:
        return key.constraint
    return key.columns[0].removesuffix(_ID) or key.columns[0]


def _free(wanted: Sequence[str], *, taken: Collection[str], used: Collection[str]) -> str:
    """The first wanted name that no relation has yet; with "_rel" behind it when a column is called so."""
    for name in wanted:
        apart = name
        while apart in taken:
            apart += "_rel"
        if apart not in used:
            return apart
    apart = wanted[-1]
    while apart in taken or apart in used:
        apart += "_rel"
    return apart

"""What Postgres holds, as far as its protection depends on it. Pure values; read by `flux.store.protection`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SCHEMAS = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A table, view, materialized view, foreign table or sequence of the team's.

    `kind` is relkind. `ours`: the connected user may alter it. `public`: somebody granted it (or a column) to PUBLIC.
    `parents`: whose partition or child it is. `reads`: what a view is made of, if it reads with its owner's rights.
    `secured`: row-level security is enabled; `policies`: Flux's own on it; `foreign_policies`: the team has some, too.
    `claimed`: Flux enabled its row-level security. `policed`: a policy was made for it, whatever it is called now and
    wherever it is. `rights`: all grants on it, so that a change of them is noticed.
    """

    oid: int
    schema: str
    name: str
    kind: str
    ours: bool
    public: bool = False
    parents: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()
    secured: bool = False
    policies: tuple[str, ...] = ()
    foreign_policies: bool = False
    claimed: bool = False
    policed: bool = False
    rights: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """`statements` bring Postgres to what policies say; they can be run any number of times, those of one relation
    (by oid; SCHEMAS stands for all schemas) without those of another. `claimed`: tables whose row-level security is
    Flux's. `warnings`: what raw SQL cannot have, or cannot be protected from, and why.
    """

    statements: Mapping[int, tuple[str, ...]]
    claimed: tuple[int, ...]
    warnings: tuple[str, ...]

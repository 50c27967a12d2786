"""What Postgres' roles are called. They are the whole cluster's, hence the hash of the database's name. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flux.data.policy.model import ANYBODY, Policies

PREFIX = "flux_sql_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """A Postgres role and the Flux roles that it stands for. `others`: all but those of `roles`, which are not named
    in any policy of the database.
    """

    name: str
    roles: frozenset[str]
    others: bool = False


def login_name(database: str) -> str:
    """The session user of raw SQL."""
    return PREFIX + hashlib.sha256(database.encode()).hexdigest()[:12]


def named_roles(policies: Policies) -> frozenset[str]:
    """The Flux roles that policies name, without "*"."""
    return frozenset(role for policy in policies.tables.values() for role, _ in policy.grants) - {ANYBODY}


def principals(login: str, policies: Policies, *, single: bool = False) -> list[Principal]:
    """One per role that policies name and one for all others.

    `single`: the login alone stands for all of them, for servers where Flux may not make roles. Postgres' column
    rights then are those that all roles have; rows are told apart by the verified role of the caller.
    """
    named = named_roles(policies)
    if single:
        return [Principal(name=login, roles=named), Principal(name=login, roles=named, others=True)]
    made = [Principal(name=f"{login}_{_short(role)}", roles=frozenset((role,))) for role in sorted(named)]
    return [*made, Principal(name=f"{login}_others", roles=named, others=True)]


def principal_of(login: str, role: str, policies: Policies, *, single: bool = False) -> str:
    """The Postgres role for a caller of this Flux role."""
    if single:
        return login
    return f"{login}_{_short(role)}" if role in named_roles(policies) else f"{login}_others"


def _short(role: str) -> str:
    return hashlib.sha256(role.encode()).hexdigest()[:12]

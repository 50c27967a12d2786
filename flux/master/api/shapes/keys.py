"""API keys."""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict


class Key(TypedDict):
    id: str
    name: str
    tenant: str | None
    role: str
    created_at: str


class KeyList(TypedDict):
    items: list[Key]


class KeyWanted(TypedDict):
    name: Annotated[str, "What the key is for."]
    tenant: NotRequired[Annotated[str | None, "For whom its requests count."]]
    role: NotRequired[Annotated[str, 'What policies know its requests as; "authenticated" otherwise.']]


class KeyMade(Key):
    key: Annotated[str, "Shown this once; only a hash of it is stored."]


class KeyRevoked(TypedDict):
    id: str
    revoked: bool

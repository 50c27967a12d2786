"""Step 5: for whom the request counts."""

from __future__ import annotations

from flux.master.gateway.auth import ApiKey


def tenant_of(key: ApiKey | None) -> str | None:
    """The tenant of the key; None without a key or for a key that belongs to no tenant."""
    return None if key is None else key.tenant


def bucket_of(key: ApiKey | None, remote: str) -> str:
    """Whose token bucket a request takes from: its tenant's, else its key's, else its address's.

    The first character keeps the three apart, so that nobody can name a tenant like an address.
    """
    if key is None:
        return "@" + remote
    return "#" + key.id if key.tenant is None else "=" + key.tenant

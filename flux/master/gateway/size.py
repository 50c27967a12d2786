"""Step 1: the announced size of the body. What arrives unannounced is counted while it is read, by the HTTP edge."""

from __future__ import annotations

from flux.errors import PayloadTooLarge


def too_large(limit: int) -> PayloadTooLarge:
    """The error for a body beyond `limit` bytes."""
    return PayloadTooLarge(f"The body is larger than the {limit} bytes that this server accepts (limits.body_bytes).")


def check_size(content_length: int | None, limit: int) -> None:
    """Raises PayloadTooLarge before a byte of the body is read."""
    if content_length is not None and content_length > limit:
        raise too_large(limit)

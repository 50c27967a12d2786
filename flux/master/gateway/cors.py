"""Step 3: cross-origin requests of web pages (the Fetch standard's CORS protocol).

A browser enforces CORS, the server only tells it what is allowed: a request from an origin that is not allowed runs,
its answer just bears no permission (a page's own POST carries Origin too; refusing would break same-origin pages).
A preflight asks first; it is answered here and never reaches a function.
"""

from __future__ import annotations

from flux.errors import Forbidden
from flux.settings.sections import Cors

Headers = tuple[tuple[str, str], ...]

_EXPOSED = "x-request-id, x-total-count, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset"
_VARY = ("vary", "origin")


class CorsPolicy:
    """The `[cors]` settings as tables of finished headers."""

    __slots__ = ("_any", "_by_origin", "_credentials", "_preflight")

    def __init__(self, settings: Cors) -> None:
        self._credentials: Headers = (("access-control-allow-credentials", "true"),) if settings.credentials else ()
        self._preflight: Headers = (
            ("access-control-allow-methods", ", ".join(settings.methods)),
            ("access-control-allow-headers", ", ".join(settings.headers)),
            ("access-control-max-age", str(settings.max_age_s)),
        )
        self._any = "*" in settings.origins
        self._by_origin = {origin: self._permission(origin) for origin in settings.origins if origin != "*"}

    def _permission(self, origin: str) -> Headers:
        vary = () if origin == "*" else (_VARY,)
        return (
            ("access-control-allow-origin", origin),
            *vary,
            *self._credentials,
            ("access-control-expose-headers", _EXPOSED),
        )

    def permission(self, origin: str) -> Headers:
        """The response headers for a request from `origin`; what is not allowed gets none but Vary."""
        if self._any:
            return self._permission("*")
        return self._by_origin.get(origin) or ((_VARY,) if self._by_origin else ())

    def preflight(self, origin: str) -> Headers:
        """The headers of a preflight's answer. Raises Forbidden for an origin that is not allowed."""
        if not self._any and origin not in self._by_origin:
            raise Forbidden("Pages of this origin may not call this server (cors.origins).")
        return self.permission(origin) + self._preflight

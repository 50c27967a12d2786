"""/health, /readiness, /version, /metrics: what load balancers and monitoring ask, without a key."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from .. import __version__
from .http.mounts import ApiRequest, ApiResponse, Handler, json_response
from .metrics import CONTENT_TYPE
from .node import Node


def handlers(node: Node) -> Mapping[str, Handler]:
    """By exact path."""

    async def health(request: ApiRequest) -> ApiResponse:
        """The master's loop runs; nothing else is said."""
        return json_response({"status": "ok"})

    async def readiness(request: ApiRequest) -> ApiResponse:
        """Whether a request sent now would be served: some worker is ready, no drain, the record is not stuck."""
        checks = {
            "workers": node.ready_workers() > 0,
            "record": not node.recording or node.recorder.fill < node.recorder.FULL,
            "accepting": not node.draining,
        }
        ready = all(checks.values())
        return json_response({"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503)

    async def version(request: ApiRequest) -> ApiResponse:
        return json_response({"version": __version__, "python": platform.python_version()})

    async def metrics(request: ApiRequest) -> ApiResponse:
        return ApiResponse(body=node.metrics.text().encode(), content_type=CONTENT_TYPE)

    return {"/health": health, "/readiness": readiness, "/version": version, "/metrics": metrics}
